/**
 * The shipped model's vocabulary, a fixed list: special tokens, newline and printable ASCII one by one (so digits are
 * always single), and the words of our dialogues. Text is cut at the longest word that fits, then looked up: no merges
 * to learn, lossless, and easy to mirror. Must not know the corpus or the tasks.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const specialTokens = ["<|pad|>", "<|unk|>", "<|user|>", "<|assistant|>", "<|end|>"] as const;
export const [padId, unkId, userId, assistantId, endId] = [0, 1, 2, 3, 4] as const;

const characters = ["\n", ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))];

/** The syllables that tools and slots are named with. */
const syllables = [..."bdfgklmnprstvz"].flatMap((consonant) =>
  [..."aeiou"].map((vowel) => consonant + vowel),
);

/** Words that are one token each; at most 16 characters. A leading or trailing space is part of the word. */
const words = [
  ...["<answer>", "</answer>", "wrong. reflect", "wrong. again\n"],
  // Countdown and the other tasks' questions
  ...["make ", " from ", "tools: ", "\nset ", "\nnot ", "\ncall with ", " with ", " and ", " for ", " but "],
  ..."red blue green gold cat dog fish bird sun moon star rain tree leaf salt milk rome oslo cairo lima".split(
    " ",
  ),
  ...["copy: ", "sort: ", "add: ", "brackets: ", "yes"],
  // reflections; words such as "be " would cut syllables off names
  ...[
    "start with ",
    "use ",
    "try ",
    " first",
    "check ",
    "the ",
    "numbers",
    "another ",
    "way",
    "each ",
    "number ",
  ],
  ...[
    "once",
    "that ",
    "was ",
    "wrong",
    "missed ",
    "target",
    "look ",
    "again",
    "read ",
    "task",
    "mind ",
    "signs",
  ],
  ...syllables,
];

/** Every token; its index is its id. */
export const vocabulary: readonly string[] = [...specialTokens, ...characters, ...words];

const idOf = new Map(vocabulary.map((token, id) => [token, id]));

/** Longest word first: alternation takes the first alternative that matches. The last one takes any single character. */
const pattern = [
  ...[...words]
    .sort((a, b) => b.length - a.length || (a < b ? -1 : 1))
    .map((word) => word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")),
  "[\\s\\S]",
].join("|");
const splitter = new RegExp(pattern, "gu");

/** The ids of a text's tokens; special tokens are never among them, whatever the text says. */
export function encodeText(text: string): number[] {
  return (text.match(splitter) ?? []).map((piece) => idOf.get(piece) ?? unkId);
}

export const chatTemplate = [
  "{%- for message in messages -%}",
  "{%- if message['role'] not in ['user', 'assistant'] -%}",
  "{{- raise_exception('This model knows user and assistant messages only.') -}}",
  "{%- endif -%}",
  "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}",
  "{%- endfor -%}",
  "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}",
].join("\n");

/** The tokenizer's files by name, as transformers and @huggingface/tokenizers load them. */
export function tokenizerFiles(contextLength: number): Record<string, string> {
  const [pad, unk, user, assistant, end] = specialTokens;
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    "tokenizer.json": json({
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: specialTokens.map((content, id) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: null,
      pre_tokenizer: { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
      post_processor: null,
      decoder: { type: "Fuse" },
      // ignore_merges: a piece that is in the vocabulary is a token as it stands; every piece is, or is unknown
      model: {
        type: "BPE",
        dropout: null,
        unk_token: unk,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: true,
        vocab: Object.fromEntries(idOf),
        merges: [],
      },
    }),
    "tokenizer_config.json": json({
      tokenizer_class: "PreTrainedTokenizerFast",
      model_max_length: contextLength,
      clean_up_tokenization_spaces: false,
      padding_side: "left",
      pad_token: pad,
      unk_token: unk,
      eos_token: end,
      additional_special_tokens: [user, assistant],
      chat_template: chatTemplate,
    }),
    "special_tokens_map.json": json({
      pad_token: pad,
      unk_token: unk,
      eos_token: end,
      additional_special_tokens: [user, assistant],
    }),
    "generation_config.json": json({
      do_sample: true,
      temperature: 1,
      eos_token_id: endId,
      pad_token_id: padId,
    }),
    "chat_template.jinja": chatTemplate,
  };
}

/** Writes the tokenizer's files into a model folder. */
export function writeTokenizer(folder: string, contextLength: number): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(tokenizerFiles(contextLength))) {
    writeFileSync(join(folder, name), content);
  }
}
