/** The public surface of tasks: one's own by `defineTask`, the built-in ones, and what they are made of. */
export type { Message, Problem, Split, Task, ToolDefinition, Verdict, VerifierAnswer } from "../core/task.ts";
export { lastAnswerTag, lastBoxed, lastCodeBlock } from "../verify/answer.ts";
export type { CommandVerifier } from "../verify/apart/command.ts";
export type { EndpointVerifier } from "../verify/apart/endpoint.ts";
export { type JavaScriptLimits, verifyJavaScript } from "../verify/apart/javascript.ts";
export { type Gsm8kRow, gsm8k, verifyGsm8k } from "./benchmarks/gsm8k.ts";
export { type MathRow, math, verifyMath } from "./benchmarks/math.ts";
export { type MultipleChoiceRow, multipleChoice, verifyChoice } from "./benchmarks/multiple-choice.ts";
export type { QuestionOptions } from "./benchmarks/question-task.ts";
export { type EnumerateOptions, isSolvable, type Operators, solutions } from "./countdown/enumerate.ts";
export {
  type CountdownRow,
  canonicalForm,
  countdownSplit,
  type GenerateCountdown,
  generateCountdown,
} from "./countdown/generate.ts";
export { leaksSolution } from "./countdown/leaks.ts";
export { type CountdownOptions, countdown } from "./countdown/task.ts";
export {
  type CountdownVerifyOptions,
  type EquationOptions,
  verifyCountdown,
  verifyEquation,
} from "./countdown/verify.ts";
export { type DefinedTask, defineTask } from "./define-task.ts";
export type { RowSource, TaskDefinition } from "./definition/definition.ts";
export {
  type FunctionCallingRow,
  functionCallingSplit,
  type GenerateFunctionCalls,
  generateFunctionCalls,
} from "./function-calling/generate.ts";
export {
  type FunctionCallingOptions,
  functionCallAnswer,
  functionCalling,
  functionCallingPrompt,
  verifyFunctionCall,
} from "./function-calling/task.ts";
export {
  type GenerateRetention,
  generateRetention,
  RETENTION_KINDS,
  type RetentionKind,
  type RetentionRow,
  retentionSplit,
} from "./retention/generate.ts";
export { type RetentionOptions, retention, verifyRetention } from "./retention/task.ts";
export { generateToolCalls, type XlamRow } from "./tool-calling/generate.ts";
export { loadToolCallingRows, type RowFormat } from "./tool-calling/load.ts";
export { formatCall, goldAnswer, goldCalls, type ToolCallingRow } from "./tool-calling/row.ts";
export {
  type ToolCallingOptions,
  type ToolMatching,
  toolCalling,
  verifyToolCalls,
} from "./tool-calling/task.ts";
