/**
 * Datums and prompts are checked where they enter the engine: a wrong length or id would otherwise fail deep inside the
 * runtime.
 */
import type { Datum } from "../../core/datum.ts";
import { MulliganError } from "../../core/errors.ts";
import type { EngineInfo, Loss, SampleRequest } from "../contract.ts";

const LONGER =
  "use a model with a longer context (max_position_embeddings; original_max_position_embeddings where rope_scaling is longrope: docs/guide/own-model.md)";

const NEEDED: Record<Loss["name"], readonly (keyof Datum)[]> = {
  cross_entropy: ["weights"],
  importance_sampling: ["logprobs", "advantages"],
  ppo: ["logprobs", "advantages"],
};

/** Throws `MulliganError("engine" | "context")` naming the datum, the field, the rule and the value. */
export function checkDatums(
  info: Pick<EngineInfo, "vocabSize" | "contextLength">,
  data: readonly Pick<Datum, "tokens" | "targets">[],
  loss?: Loss,
): void {
  if (loss) checkTemperature(loss.temperature);
  if (data.length === 0) throw new MulliganError("engine", "data: needs at least one datum, got none");
  const fields: (keyof Datum)[] = ["targets", ...(loss ? NEEDED[loss.name] : [])];
  if (loss?.kl) fields.push("referenceLogprobs", "klWeights");
  data.forEach((datum: Partial<Datum>, i) => {
    const length = datum.tokens!.length;
    if (length < 1 || length > info.contextLength) {
      throw new MulliganError(
        "context",
        `data[${i}].tokens: must have 1 to ${info.contextLength} tokens, got ${length}`,
        { hint: `shorten the text, or ${LONGER}` },
      );
    }
    for (const field of fields) {
      const got = datum[field]?.length;
      if (got !== length) {
        const found = got === undefined ? "none" : `${got}`;
        throw new MulliganError(
          "engine",
          `data[${i}].${field}: needs one number per token (${length}), got ${found}`,
        );
      }
    }
    for (const field of ["tokens", "targets"] as const) {
      const bad = datum[field]!.find((id) => id < 0 || id >= info.vocabSize);
      if (bad !== undefined) {
        throw new MulliganError(
          "engine",
          `data[${i}].${field}: ids must lie in 0..${info.vocabSize - 1}, got ${bad}`,
        );
      }
    }
  });
}

/** Log-probabilities at temperature 0 (greedy) would be ±∞, and their gradients NaN. */
export function checkTemperature(temperature = 1): void {
  if (temperature > 0) return;
  throw new MulliganError("engine", `temperature: must be above 0 for log-probabilities, got ${temperature}`);
}

/** Throws `MulliganError("context")` for a prompt that leaves no room for a sample, `("engine")` for an unknown id. */
export function checkPrompts(
  { vocabSize, contextLength }: Pick<EngineInfo, "vocabSize" | "contextLength">,
  requests: readonly SampleRequest[],
): void {
  requests.forEach(({ prompt }, i) => {
    if (prompt.length === 0 || prompt.length >= contextLength) {
      throw new MulliganError(
        "context",
        `prompt ${i}: must have 1 to ${contextLength - 1} tokens to leave room for a sample, got ${prompt.length}`,
        { hint: `shorten the prompt, or ${LONGER}` },
      );
    }
    const bad = prompt.find((id) => !(id >= 0 && id < vocabSize));
    if (bad !== undefined) {
      throw new MulliganError("engine", `prompt ${i}: ids must lie in 0..${vocabSize - 1}, got ${bad}`);
    }
  });
}
