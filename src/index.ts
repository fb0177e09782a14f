/** The public library surface; what is not exported here or from a listed subpath is not public. */

export type {
  Conversation,
  Episode,
  Failure,
  Group,
  Part,
  Span,
  Utterance,
} from "./core/episode.ts";
export { type ErrorCode, MulliganError } from "./core/errors.ts";
export { createRng, type Rng } from "./core/rng.ts";
export type { AttemptsTrace, EpisodeTrace, ReflectionsTrace, Trace } from "./core/trace.ts";
export { createLocalEngine, type Engine, type LocalEngineOptions } from "./engine/index.ts";
export {
  type Comparison,
  compareEvaluations,
  type Evaluation,
  evaluatePolicy,
  renderReport,
  summarize,
} from "./evaluate/index.ts";
export { collectFailures } from "./loop/collect.ts";
export { reflectAndRetry } from "./loop/episode.ts";
export type { Decoding, Policy } from "./loop/policy.ts";
export { type ReportOptions, writeReport } from "./report/index.ts";
export { createRunFolder, inRunFolder } from "./store/folder-claim.ts";
export type { RunFolder } from "./store/run-folder.ts";
export { readTraces } from "./store/traces.ts";
export * from "./tasks/index.ts";
export { loadTask } from "./tasks/load-task.ts";
export { type OpenTask, type OpenTaskOptions, openTask } from "./tasks/open-task.ts";
export { type Chat, loadChat } from "./text/chat.ts";
export { defineConfig, MulliganConfig } from "./train/config.ts";
export { type ExperimentEvent, type Results, runExperiment } from "./train/experiment.ts";
export { presets } from "./train/presets.ts";
export { openSetup, type Setup } from "./train/setup.ts";
export { type TrainEvent, type TrainSetup, train } from "./train/trainer.ts";
