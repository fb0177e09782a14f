/**
 * The graph of one sampling pass: new tokens (a whole prompt or one token a row) against the cache, giving the scores
 * of each row's last token and the new cache entries. Large state goes in, only new rows come out (docs/decisions).
 */
import { createGraph, type Graph, gather } from "../../graph/index.ts";
import type { Cache } from "../../model/cached-attention.ts";
import type { ModelConfig } from "../../model/config.ts";
import { decoderHidden, decoderInputs, lmHead } from "../../model/decoder.ts";

/**
 * Inputs: decoderInputs (mask [B, 1, T, S+T], or [1, 1, T, T] for a prefill), `last` int64 [B] = flat index of each
 * row's last token, and with a cache `past_keys.i`, `past_values.i` [B, K, S, D].
 * Outputs: `logits` [B, V], `keys.i`, `values.i` [B, K, T, D].
 */
export function samplingGraph(config: ModelConfig, options: { cache: boolean }): Graph {
  const graph = createGraph();
  const inputs = decoderInputs(graph, config, options.cache ? ["B", 1, "T", "M"] : [1, 1, "T", "T"]);
  const last = graph.input("last", "int64", ["B"]);
  const past = options.cache
    ? Array.from(
        { length: config.layers },
        (_, i): Cache => ({
          keys: graph.input(`past_keys.${i}`, graph.float, ["B", config.kvHeads, "S", config.headSize]),
          values: graph.input(`past_values.${i}`, graph.float, ["B", config.kvHeads, "S", config.headSize]),
        }),
      )
    : undefined;
  const { hidden, caches } = decoderHidden(graph, config, inputs, past);
  graph.output("logits", lmHead(graph, config, inputs, gather(graph, hidden, last)));
  caches.forEach((cache, i) => {
    graph.output(`keys.${i}`, cache.keys);
    graph.output(`values.${i}`, cache.values);
  });
  return graph;
}
