/** The shipped model: its config.json and its card. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { corpusDefaults, FOUNDATION } from "./dialogue.ts";
import { endId, padId, vocabulary } from "./tokenizer.ts";

/** A Llama in miniature (0.8 M parameters); loads in transformers as LlamaForCausalLM. */
export const miniConfig = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: vocabulary.length,
  hidden_size: 128,
  intermediate_size: 352,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  max_position_embeddings: 256,
  hidden_act: "silu",
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  rope_scaling: null,
  attention_bias: false,
  mlp_bias: false,
  attention_dropout: 0,
  tie_word_embeddings: true,
  initializer_range: 0.02,
  bos_token_id: null,
  eos_token_id: endId,
  pad_token_id: padId,
  use_cache: true,
  torch_dtype: "float32",
};

export interface Making {
  seed: number;
  steps: number;
  batchSize: number;
}

export function writeModelCard(folder: string, { seed, steps, batchSize }: Making): void {
  const share = (part: number) => `${Math.round(100 * part)} %`;
  const { kinds, reflections } = corpusDefaults;
  writeFileSync(
    join(folder, "README.md"),
    `---
license: mit
library_name: transformers
---
# mulligan-mini

A miniature that shows the mechanism of Reflect, Retry, Reward (arXiv 2505.24726) within minutes on a laptop.
**It is not a language model for any other use**: it has 0.8 million parameters, knows ${vocabulary.length} tokens and
the few sentence patterns of its synthetic corpus.

- Made by \`npm run pretrain -- --seed ${seed} --steps ${steps} --batch ${batchSize}\` in this repository: from random weights,
  on ${(steps * batchSize).toLocaleString("en")} generated dialogues, with no data from anywhere else.
- Corpus: ${share(kinds.countdown)} Countdown (3 numbers from 1–20, targets 1–99, operators + − *), ${share(kinds["function-calling"])} function calls with
  random tools, ${share(kinds.retention)} copy, sort, addition and brackets. Dialogues hold attempts, reflections and retries.
- The first ${share(FOUNDATION)} of the steps see mostly right attempts and hints; the rest see the mixed quality that the model shows.
- Reflections in that rest are ${share(reflections.generic)} empty phrases, ${share(reflections.wrong)} wrong hints and ${share(reflections.good)} right hints (a first step, never a whole
  solution). Telling them apart is left to reinforcement learning.
- Held out: problems of the validation and test splits, and all targets that end in 7, are in no dialogue.
- Format: Llama architecture, Hugging Face folder; chat template \`<|user|>…<|end|><|assistant|>…<|end|>\`.
`,
  );
}
