/**
 * The engine interface: Tinker's primitives. An engine sees token ids and per-token numbers only; it must not know
 * tasks, text or the method. All losses are sums over tokens: normalisation is folded into the per-token weights.
 */
import type { Datum } from "../core/datum.ts";
import type { KlEstimator } from "../core/kl.ts";
import type { EngineProfile } from "../core/profile.ts";

export interface SampleRequest {
  prompt: readonly number[];
  /** Token t of this sample is drawn with uniform(seed, t): neighbours cannot change it. */
  seed: number;
}

export interface SamplingParams {
  maxTokens: number;
  /** 0 = greedy. */
  temperature: number;
  /** 1 = off. */
  topP: number;
  /** 0 = off. */
  topK: number;
  /** Token ids that end a sample; the one that did is part of it. */
  stop: readonly number[];
}

export interface Sample {
  tokens: Int32Array;
  /** ln q of each token under the distribution that it was drawn from (after temperature, top-k and top-p). */
  logprobs: Float32Array;
  stopReason: "stop" | "length";
}

/**
 * r = exp(logp - logprobs). Sums over tokens (Tinker's definitions):
 * cross_entropy -w·logp; importance_sampling -r·A; ppo -min(r·A, clip(r, clipLow, clipHigh)·A).
 */
export interface Loss {
  name: "cross_entropy" | "importance_sampling" | "ppo";
  /** Bounds of the ratio itself, as in Tinker: 1 - epsilon and 1 + epsilon_high. */
  clipLow?: number;
  clipHigh?: number;
  /** Log-probabilities are taken from logits / temperature, as they were sampled. Default 1. */
  temperature?: number;
  /** Adds klWeights · estimator(logp, referenceLogprobs). */
  kl?: KlEstimator;
}

export interface ForwardBackwardResult {
  /**
   * ln p of each target, at the loss's temperature. One [T] per datum, in order. NaN where the target weighs nothing
   * (weights, advantages and klWeights are 0): it need not have been computed.
   */
  logprobs: Float32Array[];
  /** Keys follow Tinker's `name:reduction`: `loss:sum`. What else log-probabilities tell is the caller's to work out. */
  metrics: Record<string, number>;
}

export interface AdamParams {
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  /** Decoupled; applied to matrices, not to norms and biases. */
  weightDecay: number;
  /** Largest global L2 norm of the gradient; 0 = off. */
  gradClipNorm: number;
}

export interface EngineInfo {
  name: string;
  vocabSize: number;
  /** Most tokens in one sequence, prompt and sample together. */
  contextLength: number;
  parameters: number;
  threads: number;
  capabilities: {
    /** Can losses be taken at the sampling temperature? */
    temperature: boolean;
    kl: readonly KlEstimator[];
  };
}

export interface Engine {
  readonly info: EngineInfo;
  /**
   * One sample per request, in order. Throws `MulliganError("context")` when a prompt leaves no room for a token,
   * `MulliganError("nonfinite")` when the model gives scores that are no finite numbers.
   */
  sample(requests: readonly SampleRequest[], params: SamplingParams): Promise<Sample[]>;
  /**
   * Drops what sampling keeps between calls. The next call's results then depend on nothing that came before it, not
   * even in their last digits. An engine that keeps nothing need not have it.
   */
  forget?(): Promise<void>;
  /**
   * ln p of each target without gradients; "reference" = the weights the engine was created with. Where datums carry
   * weights, advantages or klWeights, targets that weigh nothing are NaN, as in forwardBackward.
   */
  forward(
    data: readonly (Pick<Datum, "tokens" | "targets"> & Partial<Datum>)[],
    options?: { temperature?: number; weights?: "current" | "reference" },
  ): Promise<Float32Array[]>;
  /** Adds the gradient of the summed loss to what earlier calls left since the last optimStep. */
  forwardBackward(data: readonly Datum[], loss: Loss): Promise<ForwardBackwardResult>;
  /**
   * One AdamW step on the accumulated gradient, which is then cleared. `gradNorm` is taken before clipping. Throws
   * `MulliganError("nonfinite")` when it is no finite number: the gradient is cleared, and nothing else has changed.
   */
  optimStep(params: AdamParams): Promise<{ gradNorm: number }>;
  /** Drops what forwardBackward has accumulated. */
  zeroGrad(): Promise<void>;
  /** Weights and optimiser state into a folder, whole or not at all. */
  saveState(folder: string): Promise<void>;
  loadState(folder: string): Promise<void>;
  /** The current weights as a Hugging Face folder's config.json and model.safetensors. */
  saveWeights(folder: string): Promise<void>;
  /** Ends the measuring of an engine that was made to measure: once, before close. Undefined when it was not. */
  profile?(): Promise<EngineProfile | undefined>;
  close(): Promise<void>;
}
