/** The loggers that a run's `reportTo` names, as one. TRL's names; the run's own files are written whatever it says. */
import { MulliganError, nearestName } from "../core/errors.ts";
import type { LogContext, LogEvent, Logger, Outcome } from "./logger.ts";
import { createMlflow } from "./mlflow/mlflow.ts";
import { mlflowSettings } from "./mlflow/settings.ts";
import { createTensorboard } from "./tensorboard/tensorboard.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const NAMES = ["tensorboard", "mlflow"];

export interface Loggers {
  /** Other events than a run's steps and evaluations are passed over. */
  log(event: LogEvent | { type: string }): void;
  close(outcome: Outcome): Promise<void>;
}

export interface LoggersOptions extends Omit<LogContext, "path"> {
  reportTo: string;
  env: Environment;
  /** In the run folder. */
  paths: { tensorboard: string; mlflow: string };
}

/** The names of a list with commas, none for "none". Throws `MulliganError("config")` also where a logger lacks a setting. */
export function loggersIn(reportTo: string, env: Environment): string[] {
  const names = reportTo.split(",").map((name) => name.trim());
  if (names.length === 1 && names[0] === "none") return [];
  for (const name of names) requireKnown(name);
  if (names.includes("mlflow")) mlflowSettings(env);
  return [...new Set(names)];
}

function requireKnown(name: string): void {
  if (NAMES.includes(name)) return;
  const near = nearestName(name, NAMES);
  const hint =
    name === "wandb"
      ? "take tensorboard, and let W&B's own `wandb sync` upload the run's tensorboard folder"
      : near
        ? `did you mean "${near}"?`
        : "names with commas, as in tensorboard,mlflow";
  throw new MulliganError("config", `reportTo: must be none, ${NAMES.join(" or ")}, got "${name}"`, { hint });
}

/** Throws what `loggersIn` throws. */
export function openLoggers({ reportTo, env, paths, ...context }: LoggersOptions): Loggers {
  const loggers = loggersIn(reportTo, env).map((name): Logger => {
    if (name === "tensorboard") return createTensorboard({ ...context, path: paths.tensorboard });
    return createMlflow({ ...context, path: paths.mlflow }, mlflowSettings(env));
  });
  return {
    log(event) {
      if (isLogged(event)) for (const logger of loggers) logger.log(event);
    },
    async close(outcome) {
      await Promise.all(loggers.map((logger) => logger.close(outcome)));
    },
  };
}

function isLogged(event: LogEvent | { type: string }): event is LogEvent {
  return event.type === "step" || event.type === "evaluation";
}
