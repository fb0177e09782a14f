/** An evaluation as a run folder keeps it: what is read again is checked field by field, or an error names the place. */
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import { Failure, Utterance, Verdict } from "../store/wire.ts";
import type { Evaluation } from "./evaluation.ts";

const count = z.int().min(0);
const outcome = z.enum(["solved", "failed", "unscored"]);
const decoding = z.looseObject({ temperature: z.number(), topP: z.number(), topK: count, maxTokens: count });

export const SavedEvaluation = z.looseObject({
  task: z.string(),
  decoding: z.looseObject({ attempt: decoding, reflection: decoding, retry: decoding }),
  seed: z.int(),
  counts: z.looseObject({ problems: count, failures: count, unscored: count }),
  problems: z.array(
    z.looseObject({
      problemId: z.string(),
      first: outcome,
      errorClass: z.string().optional(),
      solvedLeniently: z.boolean().optional(),
      second: outcome,
      passAt2: outcome.optional(),
    }),
  ),
  failures: z.array(
    z.looseObject({
      failure: Failure,
      reflection: Utterance,
      retry: Utterance,
      verdict: Verdict,
      leaks: z.boolean().optional(),
      controls: z
        .looseObject({
          plainRetry: outcome,
          shuffled: outcome.optional(),
          filler: outcome,
          secondDraw: outcome,
        })
        .optional(),
    }),
  ),
}) satisfies z.ZodType<Evaluation>;

/** `where` is for messages. Throws `MulliganError("data")` that names the field. */
export function parseEvaluation(value: unknown, where: string): Evaluation {
  const { data, error } = SavedEvaluation.safeParse(value);
  if (data) return data;
  const { path, message } = error.issues[0]!;
  throw new MulliganError("data", `${where}: must be an evaluation: ${path.join(".")}: ${message}`, {
    hint: "the file is damaged: take it from a copy of the run, or train again",
    cause: error,
  });
}
