/** Diagnostics of a policy loss, from the log-probabilities that the graph returned: KL and clipped tokens. */
import type { Datum } from "../../../core/datum.ts";
import { estimateKl } from "../../../core/kl.ts";
import type { Loss } from "../../contract.ts";

/** `kl:sum` over tokens with a KL weight; `clip_low:sum`, `clip_high:sum`: tokens whose ratio the clip cut. */
export function lossMetrics(
  data: readonly Datum[],
  logprobs: readonly Float32Array[],
  loss: Loss,
): Record<string, number> {
  const metrics: Record<string, number> = {};
  if (loss.name === "ppo") {
    metrics["clip_low:sum"] = 0;
    metrics["clip_high:sum"] = 0;
  }
  if (loss.kl) metrics["kl:sum"] = 0;
  data.forEach((datum, d) => {
    logprobs[d]!.forEach((logprob, t) => {
      if (loss.kl && datum.klWeights && datum.klWeights[t] !== 0) {
        metrics["kl:sum"]! += estimateKl(logprob, datum.referenceLogprobs![t]!, loss.kl);
      }
      const advantage = datum.advantages?.[t] ?? 0;
      if (loss.name !== "ppo" || advantage === 0) return;
      const ratio = Math.exp(logprob - datum.logprobs![t]!);
      // As in TRL: the clip bites only on the side that the advantage pushes towards.
      if (ratio < (loss.clipLow ?? 0.8) && advantage < 0) metrics["clip_low:sum"]!++;
      if (ratio > (loss.clipHigh ?? 1.2) && advantage > 0) metrics["clip_high:sum"]!++;
    });
  });
  return metrics;
}
