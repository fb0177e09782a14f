/** What a run is asked to do: its settings, and the task with its problems. Knows no model. */
import type { MulliganConfig } from "../config.ts";
import { requireLearner } from "../preflight.ts";
import { openProblems, type Prepared, type PrepareOptions } from "../setup.ts";
import { type Finding, type Opened, ok } from "./check.ts";

/** Close it, or its verifier stays. */
export type OpenedTask = Pick<Prepared, "task" | "problems" | "close">;

/** Throws `MulliganError("config")` when nothing would learn. */
export function checkSettings(config: MulliganConfig): Finding {
  requireLearner(config);
  return ok(`${config.task} with ${config.model}; what learns: ${config.learnFrom}`);
}

/** Throws what openProblems throws. */
export async function checkProblems(
  config: MulliganConfig,
  options: PrepareOptions,
): Promise<Opened<OpenedTask>> {
  const opened = await openProblems(config, options);
  const { train, validation, test } = opened.problems;
  const counts = `${train.length} problems to train on, ${validation.length} for validation, ${test.length} for the test`;
  return { ...ok(`${opened.task.name}: ${counts}`), value: opened };
}
