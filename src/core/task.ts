/**
 * What a user owns: problems, a prompt for each, and a check that answers yes or no. The method sees nothing else.
 */

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

/** A function that the model may call, as chat templates and most APIs take it; `parameters` is a JSON schema. */
export interface ToolDefinition {
  type: "function";
  function: { name: string; description?: string; parameters?: Readonly<Record<string, unknown>> };
}

/**
 * A verifier's answer. All but the kind is for people, logs and reports only: neither the reward nor the prompts see
 * more than the kind.
 */
export type Verdict =
  | { kind: "solved" }
  | FailedVerdict
  /** The verifier itself failed (threw, timed out): never trained on. */
  | { kind: "unscored"; cause: string };

export interface FailedVerdict {
  kind: "failed";
  feedback: string;
  /** The sort of mistake, from a short list of the task's: "wrong_value". Reports count failures by it; left out, by what feedback says before a colon. */
  errorClass?: string;
  /** Would the task's more lenient reading have passed it? Only where a task has one. */
  solvedLeniently?: boolean;
}

/** What a user's verify function may return; `null` or `undefined` means unscored, a number counts as solved from 1. */
export type VerifierAnswer = boolean | number | null | undefined | Verdict;

export type Split = "train" | "validation" | "test";

/** One problem of a task. */
export interface Problem<Row = unknown> {
  /** Unique within the task, stable between runs. */
  id: string;
  row: Row;
}

/** What the loop grants a verifier. */
export interface VerifyBounds {
  /** Longest wait for a verdict; Infinity where the verifier keeps a limit of its own. */
  timeoutMs: number;
  /** Largest share of answers that may be left unscored before the run stops. */
  maxUnscoredFraction: number;
}

export interface Task<Row = unknown> {
  name: string;
  /** The problems of a split; the same list every time. Throws `MulliganError("data")`. */
  problems(split: Split): Promise<readonly Problem<Row>[]>;
  /** Those that have problems, where not all have. */
  splits?: readonly Split[];
  /** The conversation that opens an attempt. */
  prompt(row: Row): readonly Message[];
  /** Functions that the chat template offers to the model; absent or none = no tools. */
  tools?(row: Row): readonly ToolDefinition[];
  /** The user turn that follows a failed attempt and asks for a reflection. */
  reflectionPrompt(row: Row): string;
  /** The user turn that follows the reflection and puts the task again. */
  retryPrompt(row: Row): string;
  /** The user turn that puts the task again without asking for a reflection (the plain-retry control). */
  plainRetryPrompt(row: Row): string;
  verify(answer: string, row: Row): VerifierAnswer | Promise<VerifierAnswer>;
  /** Does this reflection contain a complete solution? Reported as the leak rate (method.md §8.7); absent = not measured. */
  leaks?(reflection: string, row: Row): boolean;
  /** A right answer as the model should write it, for `check-task` and reports; absent or undefined = not known. */
  answer?(row: Row): string | undefined;
  /** Default: 10 s, 20 %. */
  bounds?: VerifyBounds;
  /** Commits of the hub data sets that its problems came from so far, by "organisation/name@revision". */
  datasets?(): Readonly<Record<string, string>>;
}

/** A task that is verified in another way, the same in everything else; also of a task that is an instance of a class. */
export function withVerify<Row>(
  task: Task<Row>,
  verify: Task<Row>["verify"],
  bounds: VerifyBounds | undefined = task.bounds,
): Task<Row> {
  // every member, so that one that is added to Task and forgotten here does not compile
  const same: { [K in keyof Required<Task<Row>>]: Task<Row>[K] } = {
    name: task.name,
    problems: (split) => task.problems(split),
    prompt: (row) => task.prompt(row),
    splits: task.splits,
    tools: task.tools && ((row) => task.tools!(row)),
    reflectionPrompt: (row) => task.reflectionPrompt(row),
    retryPrompt: (row) => task.retryPrompt(row),
    plainRetryPrompt: (row) => task.plainRetryPrompt(row),
    verify,
    leaks: task.leaks && ((reflection, row) => task.leaks!(reflection, row)),
    answer: task.answer && ((row) => task.answer!(row)),
    bounds,
    datasets: task.datasets && (() => task.datasets!()),
  };
  return same;
}
