/**
 * A checkpoint of a published model's exact shape with random weights, in bfloat16, and a tokenizer of as many tokens:
 * real weights need a network, memory and time need their shape only.
 *
 * npx tsx bench/random-checkpoint.ts --shape qwen2.5-0.5b --out /tmp/qwen2.5-0.5b
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tokenizerFiles, vocabulary } from "../pretrain/tokenizer.ts";
import { hashText } from "../src/core/rng.ts";
import { parseModelConfig } from "../src/model/config.ts";
import { saveModel } from "../src/model/folder.ts";
import { flatSize, parameterCount, parameterShapes, parameterView } from "../src/model/parameters.ts";
import { argument } from "./common.ts";

/** As their config.json says, but for the context, which is cut to what a benchmark needs. */
const SHAPES: Record<string, Record<string, unknown>> = {
  "qwen2.5-0.5b": {
    ...{ architectures: ["Qwen2ForCausalLM"], model_type: "qwen2", vocab_size: 151_936 },
    ...{ hidden_size: 896, intermediate_size: 4864, num_hidden_layers: 24 },
    ...{ num_attention_heads: 14, num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 1_000_000 },
    tie_word_embeddings: true,
  },
  "smollm2-135m": {
    ...{ architectures: ["LlamaForCausalLM"], model_type: "llama", vocab_size: 49_152 },
    ...{ hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30 },
    ...{ num_attention_heads: 9, num_key_value_heads: 3, rms_norm_eps: 1e-5, rope_theta: 100_000 },
    tie_word_embeddings: true,
  },
};

const CONTEXT = 2048;

const shape = argument("shape", "qwen2.5-0.5b");
const folder = argument("out", "");
const json = SHAPES[shape];
if (!json || folder === "") {
  console.error(`usage: random-checkpoint.ts --shape ${Object.keys(SHAPES).join("|")} --out <folder>`);
  process.exit(1);
}

const config = parseModelConfig(
  { ...json, max_position_embeddings: CONTEXT, hidden_act: "silu", initializer_range: 0.02, eos_token_id: 4 },
  shape,
);
const parameters = parameterShapes(config);
const flat = new Float32Array(flatSize(parameters));
for (const parameter of parameters) {
  const values = parameterView(flat, parameter);
  if (parameter.name.endsWith("norm.weight")) values.fill(1);
  else if (parameter.decay) fillUniform(values, hashText(parameter.name), config.initializerRange);
}
await saveModel(folder, { config, parameters, flat }, { dtype: "BF16" });
writeTokenizer(config.vocabSize);
console.error(`${folder}: ${parameterCount(config)} parameters`);

/** Uniform with that standard deviation, from a linear congruence: half a billion draws of our own generator take minutes. */
function fillUniform(values: Float32Array, seed: number, std: number): void {
  const factor = (2 * std * Math.sqrt(3)) / 2 ** 32;
  let state = seed | 1;
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    values[i] = state * factor;
  }
}

/** The shipped model's tokenizer, filled up: what a random model says must be text. */
function writeTokenizer(size: number): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(tokenizerFiles(CONTEXT))) {
    let text = content;
    if (name === "tokenizer.json") {
      const file = JSON.parse(content);
      for (let id = vocabulary.length; id < size; id++) file.model.vocab[` w${id}`] = id;
      text = JSON.stringify(file);
    }
    writeFileSync(join(folder, name), text);
  }
}
