/**
 * The lines of a run folder's files, as others read them (a dashboard, a notebook, `mulligan train --failures`).
 * Same shapes as `src/core/episode.ts`; must not know who writes them, nor import anything but core and zod.
 */
import { z } from "zod";
import type * as core from "../core/episode.ts";
import { QUANTIZATIONS } from "../core/quantization.ts";
import type { Verdict as CoreVerdict } from "../core/task.ts";
import type { Trace } from "../core/trace.ts";

const token = z.int().min(0);

export const Verdict = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("solved") }),
  z.strictObject({
    kind: z.literal("failed"),
    feedback: z.string(),
    errorClass: z.string().optional(),
    solvedLeniently: z.boolean().optional(),
  }),
  z.strictObject({ kind: z.literal("unscored"), cause: z.string() }),
]) satisfies z.ZodType<CoreVerdict>;

const part = z.enum(["prompt", "attempt", "reflection-prompt", "reflection", "retry-prompt", "retry"]);

export const Conversation = z
  .strictObject({
    tokens: z.array(token),
    spans: z.array(z.strictObject({ part, start: z.int().min(0), end: z.int().min(0) })),
  })
  .refine(({ tokens, spans }) => covers(spans, tokens.length), {
    path: ["spans"],
    error: "must be contiguous, in order and cover all tokens",
  }) satisfies z.ZodType<core.Conversation>;

export const Utterance = z
  .strictObject({
    tokens: z.array(token),
    logprobs: z.array(z.number()),
    text: z.string(),
    truncated: z.boolean(),
  })
  .refine(({ tokens, logprobs }) => tokens.length === logprobs.length, {
    path: ["logprobs"],
    error: "must have one number per token",
  }) satisfies z.ZodType<core.Utterance>;

export const Failure = z
  .strictObject({
    id: z.string(),
    problemId: z.string(),
    conversation: Conversation,
    attempt: Utterance,
    verdict: Verdict,
    count: z.int().min(2).exactOptional(),
  })
  .refine(({ verdict }) => verdict.kind === "failed", {
    path: ["verdict", "kind"],
    error: 'must be "failed"',
  })
  .refine(({ conversation, attempt }) => endsWithAttempt(conversation, attempt.tokens), {
    path: ["conversation"],
    error: "must end with a span that holds the attempt's tokens",
  }) satisfies z.ZodType<core.Failure>;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hexadecimal");

/** First line of `failures.jsonl` and of `collecting.jsonl`: what the attempts were sampled from, and how. */
export const FailuresHeader = z.strictObject({
  kind: z.literal("failures"),
  version: z.literal(2),
  /** Name as it was given, and what is in its files. */
  model: z.strictObject({
    name: z.string(),
    ...{ weights: sha256, config: sha256, tokenizer: sha256 },
    /** Only where an adapter spoke with it. */
    adapter: sha256.exactOptional(),
    chatTemplateKwargs: z.record(z.string(), z.unknown()),
  }),
  task: z.strictObject({ name: z.string(), options: z.record(z.string(), z.unknown()) }),
  /** Ids and prompts, as tokens, of the problems that were to be attempted. */
  problems: sha256,
  seed: z.int(),
  decoding: z.strictObject({
    temperature: z.number().min(0),
    topP: z.number().min(0).max(1),
    topK: z.int().min(0),
    maxAttemptLength: z.int().min(1),
    /** Left out where the weights were float32. */
    quantization: z.enum(QUANTIZATIONS).exactOptional(),
  }),
  limits: z.strictObject({
    tries: z.int().min(1),
    maxFailuresPerProblem: z.int().min(0),
    maxFailures: z.int().min(1),
  }),
});
export type FailuresHeader = z.infer<typeof FailuresHeader>;

/** A line of `collecting.jsonl`: what the attempts of one engine call came to. */
export const OutcomesLine = z.array(
  z.strictObject({
    problemId: z.string(),
    generation: z.int().min(0),
    verdict: Verdict,
    length: z.int().min(0),
    truncated: z.boolean(),
    failure: Failure.exactOptional(),
    duplicateOf: z.string().exactOptional(),
  }),
) satisfies z.ZodType<core.Outcome[]>;

/** First line of `refreshed/failures-N.jsonl`: failures of the model as it was before step N. */
export const RefreshHeader = z.strictObject({
  kind: z.literal("refreshed failures"),
  version: z.literal(1),
  step: z.int().min(1),
  attempted: z.int().min(0),
  solved: z.int().min(0),
  unscored: z.int().min(0),
  sampledTokens: z.int().min(0),
});
export type RefreshHeader = z.infer<typeof RefreshHeader>;

/** First line of `traces.jsonl`. The version counts up when what a line holds changes its meaning. */
export const TracesHeader = z.strictObject({ kind: z.literal("traces"), version: z.literal(1) });
export type TracesHeader = z.infer<typeof TracesHeader>;

const advantage = z.number().nullable();
const groupTrace = {
  step: z.int().min(1),
  problemId: z.string(),
  question: z.string(),
  prompt: z.array(token),
  state: z.enum(["live", "all_failed", "all_passed", "tied", "unscored"]),
};

/** Any other line of `traces.jsonl`: a group of a step. What the fields mean is said where the type is, `core/trace.ts`. */
export const TraceLine = z.discriminatedUnion("kind", [
  z.strictObject({
    ...groupTrace,
    kind: z.literal("reflections"),
    failureId: z.string(),
    attempt: Utterance,
    verdict: Verdict,
    episodes: z.array(
      z.strictObject({
        reflectionPrompt: z.array(token),
        reflection: Utterance,
        retryPrompt: z.array(token),
        retries: z.array(
          z.strictObject({ utterance: Utterance, verdict: Verdict, advantage: advantage.exactOptional() }),
        ),
        reward: z.number().nullable(),
        advantage: advantage.exactOptional(),
        leaks: z.boolean().exactOptional(),
      }),
    ),
  }),
  z.strictObject({
    ...groupTrace,
    kind: z.literal("attempts"),
    attempts: z.array(z.strictObject({ attempt: Utterance, verdict: Verdict, advantage })),
  }),
]) satisfies z.ZodType<Trace>;

/** A line of `metrics.jsonl` or `timings.jsonl`: one optimiser step, under TRL's names; null where a value is not a number. */
export const StepLine = z.object({ step: z.int().min(0) }).catchall(z.number().nullable());
export type StepLine = z.infer<typeof StepLine>;

/** What a run was started or resumed with; all of it is for people. */
export const Start = z.strictObject({
  started: z.iso.datetime(),
  /** Steps that were done before. */
  step: z.int().min(0),
  command: z.array(z.string()),
  folder: z.string(),
  mulligan: z.string(),
  node: z.string(),
  onnxruntime: z.string().exactOptional(),
  /** System, its release, architecture. */
  platform: z.string(),
  cpu: z.strictObject({ model: z.string(), cores: z.int().min(0) }),
  memoryBytes: z.number().min(0),
  threads: z.int().min(1),
  model: FailuresHeader.shape.model.omit({ chatTemplateKwargs: true }),
  /** Of the current folder, where it is a repository: do tracked files differ from the commit? */
  git: z.strictObject({ commit: z.string(), dirty: z.boolean() }).exactOptional(),
  /** Only at the first start of a run that goes on from another one's checkpoint. */
  forkedFrom: z.string().exactOptional(),
});
export type Start = z.infer<typeof Start>;

/** `environment.json`. */
export const Environment = z.strictObject({ version: z.literal(1), starts: z.array(Start) });
export type Environment = z.infer<typeof Environment>;

/** A line of `warnings.jsonl`: what training warned of after a step. */
export const WarningLine = z.strictObject({
  step: z.int().min(0),
  kind: z.string(),
  message: z.string(),
  hint: z.string(),
});
export type WarningLine = z.infer<typeof WarningLine>;

/** `digests.json` of a checkpoint: its other files by name. */
export const Digests = z.strictObject({
  version: z.literal(1),
  files: z.record(
    z.string().regex(/^[^/\\]+$/, "must be a file's name"),
    z.strictObject({ bytes: z.int().min(0), sha256 }),
  ),
});
export type Digests = z.infer<typeof Digests>;

/** A line of `evaluations.jsonl`: when and on what; the numbers are the evaluator's and stay open here. */
export const EvaluationLine = z.looseObject({
  step: z.int().min(0),
  split: z.enum(["train", "validation", "test"]),
});
export type EvaluationLine = z.infer<typeof EvaluationLine>;

function covers(spans: readonly core.Span[], length: number): boolean {
  let end = 0;
  for (const span of spans) {
    if (span.start !== end || span.end < span.start) return false;
    end = span.end;
  }
  return end === length;
}

function endsWithAttempt(conversation: core.Conversation, attempt: readonly number[]): boolean {
  const last = conversation.spans.at(-1);
  if (last?.part !== "attempt" || last.end - last.start !== attempt.length) return false;
  return attempt.every((id, t) => id === conversation.tokens[last.start + t]);
}
