/**
 * What a tokenizer.json may ask for: the library takes any number and any list as they are, and would loop, fill the memory
 * or fail deep inside. Every length has a bound here. Knows no file but by its name.
 */
import { MulliganError } from "../core/errors.ts";
import { faultOfPattern, mayBeSlow } from "./pattern-check.ts";
import type { TokenizerJson } from "./tokenizer-files.ts";

/** Most tokens, and one more than the largest id: ids are places in a list. Gemma's 262,144 are the most known. */
const MAX_TOKENS = 2 ** 21;
/** Most merges of a BPE model. Gemma has 514,906. */
const MAX_MERGES = 2 ** 22;
/** Most added tokens: every text is searched for each. Gemma has 6,242. */
const MAX_ADDED_TOKENS = 2 ** 14;
/** Longest added token, in characters. */
const MAX_TOKEN_LENGTH = 2 ** 10;
/** Most steps of normalizer, pre-tokenizer and decoder together. Known ones have fewer than ten. */
const MAX_STEPS = 64;
/** Longest word that WordPiece looks up; its time grows with the square. The usual limit is 100. */
const MAX_WORD = 2 ** 10;

/** Throws `MulliganError("tokenizer")` that names the field. */
export function requireUsable(path: string, { model, added_tokens: added, ...rest }: TokenizerJson): void {
  const require = (isSo: boolean, rule: string) => {
    if (!isSo) throw new MulliganError("tokenizer", `${path}: ${rule}`);
  };
  const ids = idsOf(model.vocab);
  require(ids !== undefined, "model.vocab must map texts to ids, or list pairs of text and score");
  require(ids!.length <=
    MAX_TOKENS, `model.vocab must have at most ${MAX_TOKENS} tokens, got ${ids!.length}`);
  require(added.length <=
    MAX_ADDED_TOKENS, `added_tokens must be at most ${MAX_ADDED_TOKENS}, got ${added.length}`);
  for (const id of [...added.map((token) => token.id), ...tooLarge(ids!)]) {
    require(Number.isInteger(id) &&
      id >= 0 &&
      id < MAX_TOKENS, `a token's id must be from 0 to ${MAX_TOKENS - 1}, got ${id}`);
  }
  const long = added.find(({ content }) => content.length > MAX_TOKEN_LENGTH);
  require(long ===
    undefined, `added_tokens must have at most ${MAX_TOKEN_LENGTH} characters, got ${long?.content.length}`);
  requireMerges(model.merges, require);
  const word = model.max_input_chars_per_word ?? 0;
  require(Number.isInteger(word) &&
    (word as number) <= MAX_WORD, `model.max_input_chars_per_word must be at most ${MAX_WORD}`);

  const steps = stepsOf([rest.normalizer, rest.pre_tokenizer, rest.decoder, rest.post_processor]);
  require(steps.length <= MAX_STEPS, `its steps must be at most ${MAX_STEPS}, got ${steps.length}`);
  for (const { type, length, pattern } of steps) {
    // the library's loop over the text goes on by this length
    const isLength = Number.isInteger(length) && (length as number) > 0;
    require(type !== "FixedLength" ||
      isLength, `FixedLength.length must be a positive integer, got ${length}`);
    const source = sourceOf(pattern);
    const fault = source === undefined ? undefined : faultOfPattern(source);
    require(fault === undefined, `the pattern of ${type} cannot be used: it ${fault}`);
  }
}

type Require = (isSo: boolean, rule: string) => void;

function requireMerges(merges: unknown, require: Require): void {
  if (merges === undefined || merges === null) return;
  require(Array.isArray(merges), "model.merges must be a list");
  const list = merges as readonly unknown[];
  require(list.length <= MAX_MERGES, `model.merges must be at most ${MAX_MERGES}, got ${list.length}`);
  const isText = (part: unknown) => typeof part === "string";
  const isPair = (merge: unknown) => Array.isArray(merge) && merge.length === 2 && merge.every(isText);
  const isWhole = list.every(isText) || list.every(isPair);
  require(isWhole, 'model.merges must be texts "a b", or pairs of texts');
}

/** The ids, as they are written; undefined for what is no vocabulary. */
function idsOf(vocab: TokenizerJson["model"]["vocab"]): unknown[] | undefined {
  if (!Array.isArray(vocab)) return Object.values(vocab);
  const isEntry = (entry: unknown) =>
    Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number";
  return vocab.length > 0 && vocab.every(isEntry) ? vocab.map((_, id) => id) : undefined;
}

/** Those that are no place in a list of MAX_TOKENS: at most one, to be named. */
function tooLarge(ids: readonly unknown[]): number[] {
  const bad = ids.find((id) => !Number.isInteger(id) || (id as number) < 0 || (id as number) >= MAX_TOKENS);
  return bad === undefined ? [] : [bad as number];
}

/** Do steps run a regular expression of the file's own that may be slow? */
export function hasSlowPattern(steps: unknown): boolean {
  return stepsOf(steps).some(({ pattern }) => {
    const source = sourceOf(pattern);
    return source !== undefined && mayBeSlow(source);
  });
}

/** Of a regular expression; a pattern may also be a text. */
function sourceOf(pattern: unknown): string | undefined {
  const { Regex: source } = Object(pattern) as { Regex?: unknown };
  return typeof source === "string" ? source : undefined;
}

type Step = Readonly<Record<string, unknown>>;

/** Every object with a type, however deep. */
function stepsOf(value: unknown): Step[] {
  if (typeof value !== "object" || value === null) return [];
  const inner = Object.values(value).flatMap(stepsOf);
  return "type" in value ? [value as Step, ...inner] : inner;
}
