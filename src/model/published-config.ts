/**
 * The fields of a Hugging Face config.json and the values of them that are computed here, in any family. A field that is
 * not listed is refused: it might change the logits. Knows single fields only, not how they combine.
 */
import { z } from "zod";
import { type MulliganError, nearestName } from "../core/errors.ts";

/** Bounds of what a file may ask for: far above any published decoder, far below what would stall a reader. */
const MAX_VOCABULARY = 2 ** 21;
const MAX_WIDTH = 2 ** 17; // of hidden states; Llama 3.1 405B has 16,384
const MAX_INNER_WIDTH = 2 ** 20; // of feed-forward layers
const MAX_LAYERS = 2 ** 10;
const MAX_HEADS = 2 ** 11;
const MAX_HEAD_SIZE = 2 ** 12;
const MAX_POSITIONS = 2 ** 24; // Llama 4 claims 10,485,760
const MAX_STOP_TOKENS = 2 ** 10;

const sizeUpTo = (most: number) =>
  z
    .int("must be a positive integer")
    .min(1, "must be a positive integer")
    .max(most, `must be at most ${most}`);
const manyLayers = `must have at most ${MAX_LAYERS} entries`;
const positions = sizeUpTo(MAX_POSITIONS);
const positive = z.number("must be a positive number").positive("must be a positive number");
const flag = z.boolean("must be true or false").nullish();
const tokenId = z
  .int("must be a token id")
  .min(0, "must be a token id")
  .max(MAX_VOCABULARY, "must be a token id");
const only = <T extends z.core.util.Literal>(...values: T[]) =>
  z.literal(
    values,
    `must be ${values.map((value) => JSON.stringify(value)).join(" or ")}: other values are not supported`,
  );
const absent = z.null("must be absent: not supported").optional();
const notUsed = only(false).nullish();

/** "su" is the older name of "longrope". */
const ropeType = only("default", "llama3", "yarn", "longrope", "su").optional();
const numbers = z
  .array(positive, "must be a list of positive numbers")
  .max(MAX_HEAD_SIZE, `must have at most ${MAX_HEAD_SIZE} numbers`)
  .optional();

const Rope = z.strictObject({
  rope_type: ropeType,
  /** The older name of rope_type. */
  type: ropeType,
  rope_theta: positive.nullish(),
  partial_rotary_factor: only(1).nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.optional(),
  high_freq_factor: positive.optional(),
  original_max_position_embeddings: positions.optional(),
  attention_factor: positive.nullish(),
  beta_fast: positive.nullish(),
  beta_slow: positive.nullish(),
  truncate: only(true).nullish(),
  short_factor: numbers,
  long_factor: numbers,
});

const Published = z.strictObject({
  vocab_size: sizeUpTo(MAX_VOCABULARY),
  hidden_size: sizeUpTo(MAX_WIDTH),
  intermediate_size: sizeUpTo(MAX_INNER_WIDTH),
  num_hidden_layers: sizeUpTo(MAX_LAYERS),
  num_attention_heads: sizeUpTo(MAX_HEADS),
  num_key_value_heads: sizeUpTo(MAX_HEADS).nullish(),
  head_dim: sizeUpTo(MAX_HEAD_SIZE).nullish(),
  rms_norm_eps: positive,
  max_position_embeddings: positions,
  original_max_position_embeddings: positions.nullish(),
  tie_word_embeddings: flag,
  attention_bias: flag,
  mlp_bias: flag,
  rope_theta: positive.nullish(),
  rope_scaling: Rope.nullish(),
  rope_parameters: Rope.nullish(),
  bos_token_id: tokenId.nullish(),
  eos_token_id: z
    .union([tokenId, z.array(tokenId).max(MAX_STOP_TOKENS)], "must be a token id or a list of them")
    .nullish(),
  initializer_range: positive.nullish(),
  use_sliding_window: flag,
  sliding_window: z.int("must be a positive integer").min(1, "must be a positive integer").nullish(),
  max_window_layers: z.int("must be an integer").nullish(),
  layer_types: z.array(only("full_attention", "sliding_attention")).max(MAX_LAYERS, manyLayers).nullish(),
  no_rope_layers: z.array(only(0, 1)).max(MAX_LAYERS, manyLayers).nullish(),
  no_rope_layer_interval: sizeUpTo(MAX_LAYERS).nullish(),
  hidden_act: only("silu", "swish").nullish(),
  partial_rotary_factor: only(1).nullish(),
  quantization_config: absent,
  rope_interleaved: notUsed,
  use_mrope: notUsed,
  use_qk_norm: notUsed,
  qk_layernorm: notUsed,
  is_encoder_decoder: notUsed,
  add_cross_attention: notUsed,
});

/** Fields of real files that do not change the logits: bookkeeping, generation defaults, classification heads, dropout. */
const harmless = new Set(
  `_attn_implementation _attn_implementation_autoset _flash_attn_2_enabled _name_or_path architectures attention_dropout
  attn_implementation auto_map bad_words_ids begin_suppress_tokens chunk_size_feed_forward classifier_dropout
  cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample dtype early_stopping
  embd_pdrop encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id
  gradient_checkpointing id2label is_decoder is_llama_config keys_to_ignore_at_inference label2id length_penalty
  max_length max_new_tokens max_sequence_length min_length model_max_length model_type name_or_path
  no_repeat_ngram_size num_beam_groups num_beams num_labels num_return_sequences output_attentions
  output_hidden_states output_scores pad_token_id prefix pretraining_tp problem_type pruned_heads
  remove_invalid_values repetition_penalty resid_pdrop return_dict return_dict_in_generate sep_token_id seq_length
  suppress_tokens task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_last_hidden_states
  tokenizer_class tokenizer_model_max_length top_k top_p torch_dtype torchscript transformers.js_config
  transformers_version trust_remote_code typical_p unk_token_id unsloth_fixed unsloth_version use_bfloat16
  use_cache`.split(/\s+/),
);

export type PublishedConfig = z.infer<typeof Published>;
export type PublishedRope = z.infer<typeof Rope>;
/** The kinds of rotary positions. */
export type RopeType = Exclude<NonNullable<PublishedRope["rope_type"]>, "su">;

/** Makes the error for a broken rule; the caller knows the file's name. */
export type Wrong = (rule: string, hint?: string) => MulliganError;

/** Checks every field by itself. Throws what `wrong` makes. */
export function parsePublishedConfig(json: Readonly<Record<string, unknown>>, wrong: Wrong): PublishedConfig {
  // A null stands for "not set", also in a field nobody knows.
  const isRead = ([name, value]: [string, unknown]) =>
    !harmless.has(name) && (value !== null || Object.hasOwn(Published.shape, name));
  const parsed = Published.safeParse(Object.fromEntries(Object.entries(json).filter(isRead)));
  if (!parsed.success) throw describeIssue(parsed.error.issues[0]!, json, wrong);
  return parsed.data;
}

function describeIssue(
  issue: z.core.$ZodIssue,
  fields: Readonly<Record<string, unknown>>,
  wrong: Wrong,
): MulliganError {
  const within = issue.path.map((key) => `${String(key)}.`).join("");
  if (issue.code === "unrecognized_keys") {
    const name = `${within}${issue.keys[0]}`;
    const near = nearestName(
      issue.keys[0]!,
      issue.path.length > 0 ? Object.keys(Rope.shape) : Object.keys(Published.shape),
    );
    const hint = near
      ? `did you mean ${near}?`
      : "remove the field if it changes nothing that the model computes";
    return wrong(`unknown field ${name}`, hint);
  }
  let value: unknown = fields;
  for (const key of issue.path) value = (value as Record<PropertyKey, unknown>)[key];
  const name = within.slice(0, -1);
  return wrong(value === undefined ? `${name} is missing` : `${name} ${issue.message}, got ${show(value)}`);
}

/** A value as JSON, for messages. */
export function show(value: unknown): string {
  return JSON.stringify(value) ?? "nothing";
}
