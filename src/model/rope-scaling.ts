/**
 * Rotary positions as config.json tells them: the base frequency and the ways of stretching it to longer texts, read and
 * written. A field that its kind of scaling does not read is refused. What follows from it is rope-tables.ts.
 */
import type { Family } from "./families.ts";
import { type PublishedConfig, type PublishedRope, show, type Wrong } from "./published-config.ts";

/** Low frequencies are divided by `factor`, high ones kept, and those between blended (Llama 3.1). */
export interface Llama3Scaling {
  kind: "llama3";
  factor: number;
  lowFreqFactor: number;
  highFreqFactor: number;
  originalContextLength: number;
}

/** The same with other bounds, and cosines and sines times `attentionFactor` (Peng et al. 2023, arXiv 2309.00071). */
export interface YarnScaling {
  kind: "yarn";
  factor: number;
  attentionFactor: number;
  betaFast: number;
  betaSlow: number;
  originalContextLength: number;
}

/**
 * A divisor for each frequency (Ding et al. 2024, arXiv 2402.13753), those for texts up to the original length or those
 * for longer ones. Only the former are computed with: docs/decisions/0011.
 */
export interface LongropeScaling {
  kind: "longrope";
  shortFactors: readonly number[];
  longFactors: readonly number[];
  attentionFactor: number;
  originalContextLength: number;
  /** max_position_embeddings, of which only the original length is used here. */
  maxPositions: number;
}

export type RopeScaling = Llama3Scaling | YarnScaling | LongropeScaling;

export interface Rope {
  theta: number;
  scaling: RopeScaling | null;
}

/** What transformers takes when the file has no rope_theta. */
const DEFAULT_THETA = 10_000;

/** Fields of rope_scaling that each kind reads. */
const fieldsOf = {
  llama3: ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
  yarn: [
    "factor",
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "truncate",
    "original_max_position_embeddings",
  ],
  longrope: ["short_factor", "long_factor", "factor", "attention_factor", "original_max_position_embeddings"],
} as const;
const commonFields = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];

/** Throws what `wrong` makes. */
export function parseRope(file: PublishedConfig, headSize: number, family: Family, wrong: Wrong): Rope {
  // transformers 5 keeps theta inside rope_parameters; when both forms are there it takes rope_scaling.
  const rope: PublishedRope = file.rope_scaling ?? file.rope_parameters ?? {};
  const name = file.rope_scaling ? "rope_scaling" : "rope_parameters";
  const theta = rope.rope_theta ?? file.rope_theta ?? DEFAULT_THETA;
  const published = rope.rope_type ?? rope.type ?? "default";
  const kind = published === "su" ? "longrope" : published;
  if (!family.ropeTypes.includes(kind)) {
    const types = family.ropeTypes.map(show).join(" or ");
    throw wrong(`${name}.rope_type must be ${types} for ${family.architecture}, got ${show(published)}`);
  }
  if (kind === "default") return { theta, scaling: null };
  const known: readonly string[] = [...commonFields, ...fieldsOf[kind]];
  const unread = Object.keys(rope).find((field) => !known.includes(field));
  if (unread) throw wrong(`unknown field ${name}.${unread}: rope_type ${show(kind)} does not read it`);
  const need: Needed = (field) => {
    const value = rope[field];
    if (value === undefined || value === null) {
      throw wrong(`${name}.${field} is missing: rope_type ${show(kind)} needs it`);
    }
    return value as NonNullable<typeof value>;
  };
  // transformers prefers the field beside rope_scaling.
  const original = file.original_max_position_embeddings ?? need("original_max_position_embeddings");
  const inside = rope.original_max_position_embeddings ?? original;
  if (inside !== original) {
    const field = "original_max_position_embeddings";
    throw wrong(`${name}.${field} must be the file's ${field} ${original}, got ${inside}`);
  }
  const inRope: Wrong = (rule, hint) => wrong(`${name}.${rule}`, hint);
  if (kind === "llama3") return { theta, scaling: parseLlama3(need, original, inRope) };
  if (kind === "yarn") return { theta, scaling: parseYarn(rope, need, original) };
  const lengths = { original, most: file.max_position_embeddings };
  return { theta, scaling: parseLongrope(rope, need, lengths, headSize / 2, inRope) };
}

/** The value of a field that must be there. */
type Needed = <F extends keyof PublishedRope>(field: F) => NonNullable<PublishedRope[F]>;

function parseLlama3(need: Needed, original: number, wrong: Wrong): Llama3Scaling {
  const [low, high] = [need("low_freq_factor"), need("high_freq_factor")];
  if (high <= low) throw wrong(`high_freq_factor must be above low_freq_factor ${low}, got ${high}`);
  return {
    kind: "llama3",
    factor: need("factor"),
    lowFreqFactor: low,
    highFreqFactor: high,
    originalContextLength: original,
  };
}

function parseYarn(rope: PublishedRope, need: Needed, original: number): YarnScaling {
  const factor = need("factor");
  return {
    kind: "yarn",
    factor,
    attentionFactor: rope.attention_factor ?? (factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1),
    betaFast: rope.beta_fast ?? 32,
    betaSlow: rope.beta_slow ?? 1,
    originalContextLength: original,
  };
}

function parseLongrope(
  rope: PublishedRope,
  need: Needed,
  { original, most }: { original: number; most: number },
  frequencies: number,
  wrong: Wrong,
): LongropeScaling {
  const factors = (field: "short_factor" | "long_factor") => {
    const list = need(field);
    if (list.length === frequencies) return list;
    throw wrong(`${field} must have head_dim / 2 = ${frequencies} numbers, got ${list.length}`);
  };
  return {
    kind: "longrope",
    shortFactors: factors("short_factor"),
    longFactors: factors("long_factor"),
    attentionFactor: rope.attention_factor ?? longropeAttention(rope.factor ?? most / original, original),
    originalContextLength: original,
    maxPositions: most,
  };
}

/** What is not published follows from how much longer texts may be. Source: transformers, modeling_rope_utils.py. */
function longropeAttention(factor: number, original: number): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
}

/** The published form, as transformers 4 and 5 read it. */
export function scalingToJson(scaling: RopeScaling | null): Record<string, unknown> | null {
  switch (scaling?.kind) {
    case "llama3":
      return {
        rope_type: scaling.kind,
        factor: scaling.factor,
        low_freq_factor: scaling.lowFreqFactor,
        high_freq_factor: scaling.highFreqFactor,
        original_max_position_embeddings: scaling.originalContextLength,
      };
    case "yarn":
      return {
        rope_type: scaling.kind,
        factor: scaling.factor,
        attention_factor: scaling.attentionFactor,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        original_max_position_embeddings: scaling.originalContextLength,
      };
    case "longrope": {
      const { maxPositions, originalContextLength: original, attentionFactor } = scaling;
      const implied = longropeAttention(maxPositions / original, original);
      return {
        // transformers 4 takes these three fields and no other; the original length stands beside them
        type: scaling.kind,
        short_factor: scaling.shortFactors,
        long_factor: scaling.longFactors,
        ...(attentionFactor !== implied && { attention_factor: attentionFactor }),
      };
    }
    default:
      return null;
  }
}
