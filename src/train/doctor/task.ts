/** What a run is asked to do: its settings, and the task with its problems. Knows no model. */
import type { MulliganConfig } from "../config.ts";
import { type OpenedProblems, openProblems, type PrepareOptions } from "../open-problems.ts";
import { requireLearner } from "../preflight.ts";
import { type Finding, type Opened, ok } from "./check.ts";

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
  const opened = await openProblems(config, options);
  const { train, validation, test } = opened.problems;
  const counts = `${train.length} problems to train on, ${validation.length} for validation, ${test.length} for the test`;
  return { ...ok(`${opened.task.name}: ${counts}`), value: opened };
}
