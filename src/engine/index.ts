/** Engines: the contract, and the one that runs on this machine. */

export * from "./contract.ts";
export { type BenchOptions, type BenchReport, benchEngine } from "./local/bench.ts";
export type { LocalEngineOptions } from "./local/core.ts";
export {
  EXPORT_DTYPES,
  EXPORT_FORMATS,
  type ExportDtype,
  type ExportFormat,
  type ExportOptions,
  exportWeights,
} from "./local/export.ts";
export { createLocalEngine } from "./local/local-engine.ts";
export {
  type GroupShape,
  groupsPerRun,
  type MemoryPart,
  type MemoryPlan,
  type MemoryWork,
  planModel,
} from "./local/memory-plan.ts";
export { type RuntimeTrial, tryRuntime } from "./local/runtime.ts";
export { type AdapterSource, isAdapterFolder, sizesOf } from "./local/weights.ts";
