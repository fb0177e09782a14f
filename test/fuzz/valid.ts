/** Small valid files of the kinds that no other kit makes. */
import { readFile } from "node:fs/promises";
import type { Start } from "../../src/store/wire.ts";

const failure = (id: string) => ({
  id,
  problemId: "p",
  conversation: {
    tokens: [1, 2, 3, 4, 5],
    spans: [
      { part: "prompt", start: 0, end: 3 },
      { part: "attempt", start: 3, end: 5 },
    ],
  },
  attempt: { tokens: [4, 5], logprobs: [-0.1, -1.5], text: "1 + 2", truncated: false },
  verdict: { kind: "failed", feedback: "missed by 3", errorClass: "missed" },
});

const header = {
  kind: "failures",
  version: 2,
  model: {
    name: "mini",
    chatTemplateKwargs: { enable_thinking: false },
    ...{ weights: "a".repeat(64), config: "b".repeat(64), tokenizer: "c".repeat(64) },
  },
  task: { name: "countdown", options: { wording: "compact" } },
  problems: "d".repeat(64),
  seed: 7,
  decoding: { temperature: 1, topP: 1, topK: 0, maxAttemptLength: 32 },
  limits: { tries: 4, maxFailuresPerProblem: 0, maxFailures: 100 },
};

const { chatTemplateKwargs: _, ...model } = header.model;

/** Of a run, as its environment tells it. */
export const start: Start = {
  ...{ started: "2026-01-02T03:04:05.678Z", step: 0, command: ["mulligan", "train"], folder: "/home/me" },
  ...{ mulligan: "0.1.0", node: "v24.0.0", onnxruntime: "1.30.0", platform: "linux 6.1 x64" },
  ...{ cpu: { model: "EPYC", cores: 2 }, memoryBytes: 8e9, threads: 2, model },
};

const lines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");

export const failureLines = () => lines([header, ...["p/0", "p/1", "p/2"].map(failure)]);

export function refreshedLines(): string {
  const counts = { attempted: 9, solved: 7, unscored: 0, sampledTokens: 40 };
  return lines([{ kind: "refreshed failures", version: 1, step: 5, ...counts }, failure("p/0@5")]);
}

export function journalLines(): string {
  const outcome = { problemId: "p", generation: 0, verdict: { kind: "solved" }, length: 4, truncated: false };
  const failed = { ...outcome, generation: 1, verdict: failure("").verdict, failure: failure("p/1") };
  return lines([header, [outcome, failed], [{ ...outcome, problemId: "q" }]]);
}

/** What evaluating one policy came to. */
export function evaluationJson(): string {
  const decoding = { temperature: 1, topP: 1, topK: 0, maxTokens: 8 };
  const utterance = failure("").attempt;
  const controls = { plainRetry: "failed", shuffled: "solved", filler: "failed", secondDraw: "unscored" };
  return JSON.stringify({
    task: "countdown",
    decoding: { attempt: decoding, reflection: decoding, retry: decoding },
    seed: 1,
    counts: { problems: 2, failures: 1, unscored: 0 },
    problems: [
      { problemId: "p", first: "failed", errorClass: "missed", second: "solved", passAt2: "failed" },
      { problemId: "q", first: "solved", second: "solved", passAt2: "solved" },
    ],
    failures: [
      {
        failure: failure("p/0"),
        reflection: utterance,
        retry: utterance,
        verdict: { kind: "solved" },
        leaks: false,
        controls,
      },
    ],
  });
}

const added = (contents: readonly string[], start: number) =>
  contents.map((content, i) => ({ id: start + i, content, special: true, normalized: false }));
const LETTERS = [..."abcdefghijklmnopqrstuvwxyz0123456789 ▁<|>\n"];

/** One of each kind of model that a tokenizer.json may hold. */
export const tokenizers: Readonly<Record<string, () => string | Promise<string>>> = {
  "word list": () => readFile("models/mini/tokenizer.json", "utf8"),
  BPE: () => readFile("test/fixtures/tiny-chat/tokenizer.json", "utf8"),
  Unigram: () =>
    JSON.stringify({
      normalizer: { type: "Sequence", normalizers: [{ type: "NFKC" }, { type: "Prepend", prepend: "▁" }] },
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      post_processor: null,
      decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      added_tokens: added(["<|end|>"], 0),
      model: {
        type: "Unigram",
        unk_id: 1,
        vocab: [["<|end|>", 0], ["<unk>", 0], ...["the", "▁answer", ...LETTERS].map((text, i) => [text, -i])],
      },
    }),
  WordPiece: () =>
    JSON.stringify({
      normalizer: { type: "BertNormalizer", lowercase: true, strip_accents: null, clean_text: true },
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: null,
      decoder: { type: "WordPiece", prefix: "##", cleanup: true },
      added_tokens: added(["[UNK]", "<|end|>"], 0),
      model: {
        type: "WordPiece",
        unk_token: "[UNK]",
        continuing_subword_prefix: "##",
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(
          ["[UNK]", "<|end|>", "the", ...LETTERS, ...LETTERS.map((l) => `##${l}`)].map((text, i) => [
            text,
            i,
          ]),
        ),
      },
    }),
};

const tool = {
  name: "giveaways",
  description: "Retrieve live giveaways.",
  parameters: {
    type: { description: "The type.", type: "str", default: "game" },
    ids: { description: "Which.", type: "List[int], optional" },
  },
};
const schema = {
  type: "object",
  properties: {
    type: { type: "string", default: "game" },
    ids: { type: "array", items: { type: "integer" } },
  },
  required: ["type"],
};
const call = { name: "giveaways", arguments: { type: "beta", ids: [1, 2.5] } };

/** Rows of function calling by file name, in the three formats. */
export const toolRows: Readonly<Record<string, string>> = {
  "xlam.json": JSON.stringify([
    { id: 0, query: "live giveaways?", tools: JSON.stringify([tool]), answers: JSON.stringify([call]) },
    { id: 1, query: "more?", tools: [tool], answers: [call] },
  ]),
  "openai.jsonl": lines([
    {
      messages: [
        { role: "user", content: "giveaways?" },
        { role: "assistant", tool_calls: [{ type: "function", function: call }] },
      ],
      tools: [{ type: "function", function: { name: "giveaways", parameters: schema } }],
    },
  ]),
  "bfcl.json": lines([
    {
      id: "simple_0",
      question: [[{ role: "user", content: "giveaways?" }]],
      function: [{ name: "giveaways", parameters: { ...schema, type: "dict" } }],
    },
  ]),
  "possible_answer/bfcl.json": lines([
    { id: "simple_0", ground_truth: [{ giveaways: { type: ["beta", ""], ids: [[1, 2]] } }] },
  ]),
};
