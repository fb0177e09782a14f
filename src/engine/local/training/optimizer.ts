/**
 * The optimiser's step, shared out among replicas: each sums up everyone's gradient on its slice of the parameters and
 * steps that, then all take what the others left. A model alone is one slice.
 */
import type { AdamParams } from "../../contract.ts";
import type { trainedOf } from "../weights.ts";
import { type AdamState, adamStep, createAdamState, sumOfSquares } from "./adamw.ts";
import { addTo } from "./passes.ts";

/** Memory that replicas of one model have in common. Each computes with its own copy: the runtime takes no shared memory. */
export interface Share {
  /** Which replica this is. */
  index: number;
  /** What learns, after the last step; each replica takes its slice. */
  weights: Float32Array;
  adam: { m: Float32Array; v: Float32Array; steps: Int32Array };
  /** One per replica. */
  gradients: readonly Float32Array[];
}

export interface Optimizer {
  adam: AdamState;
  /** This replica's own sum of derivatives since the last step. */
  gradient: Float32Array;
  /** Sums everyone's gradient on this replica's slice, and returns the sum of its squares. */
  sumGradients(): number;
  /** The first parameter whose summed gradient holds NaN or infinity. */
  nonFiniteParameter(): string | undefined;
  /** AdamW on this replica's slice. */
  stepSlice(params: AdamParams, gradNorm: number): void;
  /** Leaves all of the weights for the others: they were loaded here. */
  publish(): void;
  /** Takes the weights that others have left, and begins a new sum of derivatives. */
  settle(): void;
}

export function createOptimizer(
  { flat, parameters }: ReturnType<typeof trainedOf>,
  share?: Share,
): Optimizer {
  const size = flat.length;
  const adam = share ? { step: 0, ...share.adam } : createAdamState(size);
  const gradients = share?.gradients ?? [new Float32Array(size)];
  const gradient = gradients[share?.index ?? 0]!;
  const slice = sliceOf(size, share);
  const ranges = parameters.flatMap(({ offset, size, decay }) => {
    const [start, end] = [Math.max(offset, slice.start), Math.min(offset + size, slice.end)];
    return start < end ? [{ start, end, decay }] : [];
  });
  const publish = ({ start, end }: Slice) => {
    if (!share) return;
    share.weights.set(flat.subarray(start, end), start);
    share.adam.steps[0] = adam.step;
  };
  return {
    adam,
    gradient,
    sumGradients() {
      const sum = gradients[0]!.subarray(slice.start, slice.end);
      for (const other of gradients.slice(1)) addTo(sum, other.subarray(slice.start, slice.end));
      return sumOfSquares(sum);
    },
    nonFiniteParameter() {
      const at = gradients[0]!.findIndex((value) => !Number.isFinite(value));
      return parameters.find(({ offset, size }) => offset <= at && at < offset + size)?.name;
    },
    stepSlice(params, gradNorm) {
      adamStep(flat, gradients[0]!, adam, ranges, params, gradNorm);
      publish(slice);
    },
    publish: () => publish({ start: 0, end: size }),
    settle() {
      if (share) {
        flat.set(share.weights);
        adam.step = share.adam.steps[0]!;
      }
      gradient.fill(0);
    },
  };
}

/** A part of the parameters. */
interface Slice {
  start: number;
  end: number;
}

/** What a replica steps. */
function sliceOf(size: number, share: Share | undefined): Slice {
  const [index, count] = [share?.index ?? 0, share?.gradients.length ?? 1];
  return { start: Math.floor((size * index) / count), end: Math.floor((size * (index + 1)) / count) };
}
