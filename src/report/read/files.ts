/** The files of a run folder as a report reads them: what it shows must be there, what it does not know may be. */
import { z } from "zod";
import { type Comparison, SavedEvaluation, type SwapCell, type TransferRow } from "../../evaluate/index.ts";

const count = z.int().min(0);
/** JSON writes NaN as null. */
const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const interval = z.object({ estimate: number, low: number, high: number });
const contrast = z.object({ start: interval, trained: interval, gain: interval });

export const AnyObject = z.record(z.string(), z.unknown());

/** The settings that a report speaks of; it lists them all. */
export const RunConfig = z.looseObject({
  model: z.string(),
  task: z.string(),
  seed: z.int(),
  maxSteps: count,
  learnFrom: z.string(),
  eval: z.looseObject({ seed: z.int(), bootstrap: z.int().min(100).max(100_000) }),
});
export type RunConfig = z.infer<typeof RunConfig>;

/** Of an evaluation how much there was to evaluate. */
export const Counted = SavedEvaluation.pick({ counts: true });

/** Of results.json. */
export const ComparisonFile = z.object({
  task: z.string(),
  decoding: SavedEvaluation.shape.decoding,
  seed: z.int(),
  bootstrap: z.object({ seed: z.int(), resamples: z.int() }),
  counts: z.object({
    problems: count,
    failures: count,
    unscored: z.object({ start: count, trained: count }),
  }),
  measures: z.record(z.string(), contrast),
  shuffledShare: interval.exactOptional(),
  errors: z.array(z.object({ errorClass: z.string(), contrast })),
  firstTryFlips: z.object({ won: count, lost: count, p: number }),
}) satisfies z.ZodType<Comparison>;

const model = z.enum(["start", "trained"]);
export const SwapFile = z.array(
  z.object({ reflector: model, retrier: model, rescue: interval, gain: interval }),
) satisfies z.ZodType<SwapCell[]>;

export const TransferFile = z.array(
  contrast.extend({ task: z.string(), problems: count }),
) satisfies z.ZodType<TransferRow[]>;
