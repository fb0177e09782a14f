/**
 * Text to tokens and back. Plain text, whoever wrote it, can never become a control token: control tokens answer only to
 * names that no text can spell, and only template text is given those names. Knows nothing of chats.
 */
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { MulliganError } from "../core/errors.ts";
import { withinTime } from "./time-limit.ts";
import { hasSlowPattern, requireUsable } from "./tokenizer-check.ts";
import {
  type AddedToken,
  readTokenizerFiles,
  type TokenizerFiles,
  type TokenizerJson,
} from "./tokenizer-files.ts";

/** A run of text; control tokens are recognised only where it is trusted, which is in template text. */
export interface Piece {
  text: string;
  trusted: boolean;
}

export interface TextTokenizer {
  /** Plain text: yields no control token. What the vocabulary lacks becomes its unknown token, if it has one. */
  encode(text: string): number[];
  /** Template text: recognises control tokens. Adds none of its own (no BOS). */
  encodeTemplate(text: string): number[];
  /** The pieces as one text, so that ids are those of the whole; control tokens never span or leave trusted pieces. */
  encodePieces(pieces: readonly Piece[]): number[];
  /** Without special tokens; ids outside the vocabulary give nothing. */
  decode(tokens: readonly number[]): string;
  decodeWithSpecials(tokens: readonly number[]): string;
  /** The id of a control token by its text. */
  specialId(text: string): number | undefined;
  /** Every token that plain text must not yield. */
  readonly controlIds: ReadonlySet<number>;
  /** One more than the largest id. */
  readonly vocabSize: number;
}

/** Throws `MulliganError("tokenizer")` that names the file. */
export async function loadTokenizer(folder: string): Promise<TextTokenizer> {
  return createTokenizer(await readTokenizerFiles(folder));
}

// A lone surrogate: well-formed text has none, and text that is not well-formed is repaired before it is encoded. A high
// one, which in text only ever stands before a low one: a low one also ends pairs, and 🏿<|user|> would spell the name.
const MARK = "\uD800";
/** Not where it begins a pair, as it does in 1,024 characters from U+10000 on. */
const LONE_MARK = new RegExp(MARK, "gu");

/** By the clock, for one text: far beyond what an honest pattern takes on a crowded machine. Arbitrary. */
const TEXT_MS = 60_000;

/** Takes over `files.tokenizer`, which it changes. Throws `MulliganError("tokenizer")`, as its functions do. */
export function createTokenizer(files: TokenizerFiles, { textMs = TEXT_MS } = {}): TextTokenizer {
  requireUsable(join(files.folder, "tokenizer.json"), files.tokenizer);
  const { normalizer, pre_tokenizer, decoder } = files.tokenizer;
  const named = new Set(Object.values(files.namedTokens));
  const controls = files.tokenizer.added_tokens.filter((token) => isControl(token, files, named));
  const skipped = new Set(controls.filter((t) => t.special || named.has(t.content)).map((t) => t.id));
  const idOf = new Map(controls.map((token) => [token.content, token.id]));
  const vocabSize = countIds(files.tokenizer);
  hideControls(files, idOf);

  let library: Tokenizer;
  try {
    library = new Tokenizer(files.tokenizer, files.config);
  } catch (cause) {
    throw unusable(files.folder, `cannot be used, ${(cause as Error).message}`, cause);
  }

  const control = idOf.size === 0 ? undefined : matchAny([...idOf.keys()]);
  const spell = (piece: Piece) => {
    const text = wellFormed(piece.text);
    return piece.trusted && control ? text.replace(control, (content) => MARK + content) : text;
  };
  // watching takes longer than a short text does, so only what may run into a slow pattern is watched
  const watched = {
    encode: hasSlowPattern([normalizer, pre_tokenizer]),
    decode: hasSlowPattern([decoder]),
  };
  /** What the library throws on a text comes from what tokenizer.json asks for. */
  const attempt = <T>(what: keyof typeof watched, work: () => T): T => {
    try {
      return watched[what] ? withinTime(work, textMs) : work();
    } catch (cause) {
      throw unusable(files.folder, `cannot ${what} a text, ${(cause as Error).message}`, cause);
    }
  };
  const encodePieces = (pieces: readonly Piece[]) => {
    const text = pieces.map(spell).join("");
    const encode = () => library.encode(text, { add_special_tokens: false });
    const { ids } = attempt("encode", encode);
    // a vocabulary without unknown token, of the kinds that then give none
    if (ids.includes(undefined as never)) throw unusable(files.folder, "has no token for part of a text");
    return ids;
  };
  const decodeWithSpecials = (tokens: readonly number[]) => {
    const known = tokens.filter((id) => library.id_to_token(id) !== undefined);
    if (known.length === 0) return ""; // the library throws on an empty list
    // Clean-up would change what a verifier sees: "1 , 2" is not "1, 2".
    const decode = () => library.decode(known, { clean_up_tokenization_spaces: false });
    return attempt("decode", decode).replace(LONE_MARK, "");
  };

  return {
    encode: (text) => encodePieces([{ text, trusted: false }]),
    encodeTemplate: (text) => encodePieces([{ text, trusted: true }]),
    encodePieces,
    decode: (tokens) => decodeWithSpecials(tokens.filter((id) => !skipped.has(id))),
    decodeWithSpecials,
    specialId: (text) => idOf.get(text),
    controlIds: new Set(idOf.values()),
    vocabSize,
  };
}

function unusable(folder: string, rule: string, cause?: unknown): MulliganError {
  return new MulliganError("tokenizer", `${join(folder, "tokenizer.json")}: ${rule}`, { cause });
}

/** Lone surrogates become U+FFFD, as they do in UTF-8. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}

// Not always marked special: Qwen's <|fim_prefix|>, Phi's </s>.
const SPELT_AS_CONTROL = /^<(\|.+\||\/?s)>$/;

/**
 * Special, named by a config, a stop token, spelt as one, or written by the chat template (Qwen's `<tool_call>`).
 * Other added tokens, such as runs of spaces, are ordinary vocabulary.
 */
function isControl(token: AddedToken, files: TokenizerFiles, named: ReadonlySet<string>): boolean {
  return (
    token.special ||
    SPELT_AS_CONTROL.test(token.content) ||
    named.has(token.content) ||
    files.stopIds.includes(token.id) ||
    (token.content.trim() !== "" && files.template?.includes(token.content) === true)
  );
}

/** Gives control tokens names that no text can spell, wherever tokenizer.json could recognise or assemble them. */
function hideControls({ tokenizer }: TokenizerFiles, controls: ReadonlyMap<string, number>): void {
  for (const token of tokenizer.added_tokens) {
    if (controls.has(token.content)) token.content = MARK + token.content;
  }
  const model = tokenizer.model;
  if (typeof model.unk_token === "string" && controls.has(model.unk_token)) {
    model.unk_token = MARK + model.unk_token;
  }
  if (Array.isArray(model.vocab)) {
    model.vocab = model.vocab.map(([text, score]) => [controls.has(text) ? MARK + text : text, score]);
    return;
  }
  const vocab = model.vocab;
  const inVocab = new Set([...controls.keys()].filter((content) => Object.hasOwn(vocab, content)));
  if (inVocab.size === 0) return;
  for (const content of inVocab) {
    vocab[MARK + content] = vocab[content]!;
    delete vocab[content];
  }
  if (Array.isArray(model.merges)) {
    model.merges = model.merges.filter(
      (merge) => !inVocab.has(typeof merge === "string" ? merge.replace(" ", "") : merge.join("")),
    );
  }
}

function countIds({ model, added_tokens: added }: TokenizerJson): number {
  const ids = Array.isArray(model.vocab) ? [model.vocab.length - 1] : Object.values(model.vocab);
  let largest = -1;
  for (const id of ids) largest = Math.max(largest, id); // not Math.max(...ids): too many arguments
  for (const { id } of added) largest = Math.max(largest, id);
  return largest + 1;
}

/** Longest first, as the library matches. */
function matchAny(texts: readonly string[]): RegExp {
  const escaped = [...texts]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(escaped.join("|"), "g");
}
