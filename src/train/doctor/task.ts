/** What a run is asked to do: its settings, and the task with its problems. Knows no model. */
import { count } from "../../core/count.ts";
import type { MulliganConfig } from "../config.ts";
import { type OpenedProblems, openProblems, type PrepareOptions } from "../open-problems.ts";
import { requireLearner } from "../preflight.ts";
import { type Finding, type Opened, ok, warning } from "./check.ts";

/** Throws `MulliganError("config")` when nothing would learn. */
export function checkSettings(config: MulliganConfig): Finding {
  requireLearner(config);
  return ok(`${config.task} with ${config.model}; what learns: ${config.learnFrom}`);
}

/** Throws what openProblems throws. */
export async function checkProblems(
  config: MulliganConfig,
  options: PrepareOptions,
): Promise<Opened<OpenedProblems>> {
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  const opened = await openProblems(config, { ...options, onWarning });
  const { train, validation, test } = opened.problems;
  const counts = `${count(train.length, "problem")} to train on, ${validation.length} for validation, ${test.length} for the test`;
  const found = [`${opened.task.name}: ${counts}`, ...warnings].join("; ");
  const finding =
    warnings.length > 0 ? warning(found, "give the task more rows, or ask for fewer") : ok(found);
  return { ...finding, value: opened };
}
