import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { MulliganError } from "../core/errors.ts";
import { createTokenizer, loadTokenizer } from "./tokenizer.ts";
import { readTokenizerFiles } from "./tokenizer-files.ts";

const TINY = "test/fixtures/tiny-chat";
const tinyJson = () => JSON.parse(readFileSync(join(TINY, "tokenizer.json"), "utf8"));

const folders: string[] = [];
/** A folder of files; a string is written as it is, anything else as JSON. */
function folderOf(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), "mulligan-text-"));
  folders.push(folder);
  for (const [name, value] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof value === "string" ? value : JSON.stringify(value));
  }
  return folder;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function failureOf(folder: string): Promise<MulliganError> {
  const error = await loadTokenizer(folder).catch((e) => e);
  expect(error).toBeInstanceOf(MulliganError);
  expect(error.code).toBe("tokenizer");
  return error;
}

describe("a pattern that takes ever longer with the text is given up", () => {
  const slow = { type: "Replace", pattern: { Regex: "a*a*a*a*b" }, content: "" };
  const expand = { type: "Replace", pattern: { String: "a" }, content: "a".repeat(300) };
  const given = async (changes: Record<string, unknown>) =>
    createTokenizer(await readTokenizerFiles(folderOf({ "tokenizer.json": { ...tinyJson(), ...changes } })), {
      textMs: 100,
    });
  const givenUp = (what: string) =>
    expect.objectContaining({
      code: "tokenizer",
      message: expect.stringMatching(`tokenizer\\.json: cannot ${what} a text, it took more than 0\\.1 s$`),
    });

  test("in a long text, and in a short one that was made long", async () => {
    const tokenizer = await given({ normalizer: slow });
    expect(tokenizer.encode("a".repeat(20))).toHaveLength(20);
    expect(() => tokenizer.encode("a".repeat(5000))).toThrow(givenUp("encode"));
    const expanding = await given({ normalizer: { type: "Sequence", normalizers: [expand, slow] } });
    expect(() => expanding.encode("aaaaaaaaa")).toThrow(givenUp("encode"));
  });

  test("and in tokens", async () => {
    const steps = [{ type: "ByteLevel" }, { type: "Fuse" }, slow];
    const tokenizer = await given({ decoder: { type: "Sequence", decoders: steps } });
    const [a] = tokenizer.encode("a");
    expect(tokenizer.decode([a!])).toBe("a");
    expect(() => tokenizer.decode(Array(5000).fill(a))).toThrow(givenUp("decode"));
  });
});

describe("the tiny tokenizer", async () => {
  const tokenizer = await loadTokenizer(TINY);

  test("merges by rank and gives back what it was given", () => {
    // 271 ids: 4 special, 256 bytes, then merges in order: er, th, the, in, an, ans, answ, answer, ...
    expect(tokenizer.vocabSize).toBe(271);
    expect(tokenizer.encode("answer")).toEqual([267]);
    expect(tokenizer.encode("the")).toEqual([262]);
    expect(tokenizer.decode([267, 262])).toBe("answerthe");
  });

  test("for any well-formed text, decoding undoes encoding", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  test("characters that hold a surrogate next to a control token's name neither become one nor are lost", () => {
    // pairs that end in U+DFFF (🏿), and that begin with U+D800 (𐀀)
    for (const character of ["🏿", "\u{11fff}", "\u{10000}", "\u{103ff}"]) {
      const text = `a${character}<|user|>${character}<|end|>b`;
      const ids = tokenizer.encode(text);
      expect(ids.filter((id) => tokenizer.controlIds.has(id))).toEqual([]);
      expect(tokenizer.decode(ids)).toBe(text);
    }
    const template = tokenizer.encodeTemplate("<|user|>🏿\u{10000}<|end|>");
    expect([template[0], template.at(-1)]).toEqual([1, 0]);
    expect(tokenizer.decodeWithSpecials(template)).toBe("<|user|>🏿\u{10000}<|end|>");
  });

  test("recognises special tokens in template text only", () => {
    expect(tokenizer.encodeTemplate("<|user|>the<|end|>")).toEqual([1, 262, 0]);
    expect(tokenizer.encode("<|user|>the<|end|>").filter((id) => id < 4)).toEqual([]);
    expect(tokenizer.decode(tokenizer.encode("<|user|>the<|end|>"))).toBe("<|user|>the<|end|>");
  });

  test("assembles no special token from template text and plain text together", () => {
    const ids = tokenizer.encodePieces([
      { text: "<|user|><|", trusted: true },
      { text: "end", trusted: false },
      { text: "|>", trusted: true },
    ]);
    expect(ids[0]).toBe(1);
    expect(ids.slice(1).filter((id) => id < 4)).toEqual([]);
    expect(tokenizer.decodeWithSpecials(ids)).toBe("<|user|><|end|>");
  });

  test("encodes neighbouring pieces as one text", () => {
    const pieces = [..."answer"].map((text, i) => ({ text, trusted: i % 2 === 0 }));
    expect(tokenizer.encodePieces(pieces)).toEqual([267]);
  });

  test("decodes special tokens, unknown ids and nothing at all", () => {
    expect(tokenizer.decode([1, 262, 0])).toBe("the");
    expect(tokenizer.decodeWithSpecials([1, 262, 0])).toBe("<|user|>the<|end|>");
    expect(tokenizer.decode([262, 99_999])).toBe("the");
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.decode([0])).toBe("");
    expect(tokenizer.decodeWithSpecials([])).toBe("");
  });

  test("repairs lone surrogates, the hidden names' included", () => {
    expect(tokenizer.encode("a\uDFFF<|end|>")).toEqual(tokenizer.encode("a\uFFFD<|end|>"));
    expect(tokenizer.encode("\uD83D")).toEqual(tokenizer.encode("\uFFFD"));
  });

  test("knows special tokens by text", () => {
    expect(tokenizer.specialId("<|end|>")).toBe(0);
    expect(tokenizer.specialId("the")).toBeUndefined();
    expect([...tokenizer.controlIds]).toEqual([0, 1, 2, 3]);
  });
});

describe("control tokens", () => {
  test("cannot be assembled by merges or taken whole from the vocabulary", async () => {
    const json = tinyJson();
    // Merges that spell <|end|>, which stands in the vocabulary as id 0.
    json.pre_tokenizer.use_regex = false;
    json.model.merges.push(["<", "|"], ["e", "n"], ["en", "d"], ["|", ">"], ["<|", "end"], ["<|end", "|>"]);
    ["<|", "en", "end", "|>", "<|end"].forEach((token, i) => {
      json.model.vocab[token] = 271 + i;
    });
    json.model.ignore_merges = true;
    const tokenizer = await loadTokenizer(folderOf({ "tokenizer.json": json }));
    expect(tokenizer.encode("<|end|>")).toEqual([275, 274]); // "<|end" "|>"
    expect(tokenizer.encodeTemplate("<|end|>")).toEqual([0]);
  });

  test("are hidden in Unigram vocabularies and as unknown token too", async () => {
    const json = tinyJson();
    json.pre_tokenizer = null;
    json.decoder = { type: "Fuse" };
    json.model = {
      type: "Unigram",
      unk_id: 3,
      vocab: [["<|end|>", 0], ...[..."<|end>"].map((c) => [c, -5])],
    };
    json.added_tokens = [{ ...json.added_tokens[0], id: 0 }];
    const tokenizer = await loadTokenizer(folderOf({ "tokenizer.json": json }));
    expect(tokenizer.encode("<|end|>")).toEqual([1, 2, 3, 4, 5, 2, 6]);
    expect(tokenizer.encodeTemplate("<|end|>")).toEqual([0]);
    expect(tokenizer.vocabSize).toBe(7);
  });

  test("leave the unknown token to unknown characters", async () => {
    const json = tinyJson();
    json.pre_tokenizer = null;
    json.decoder = { type: "Fuse" };
    const characters = [..."abunk<>"].map((c, i) => [c, i + 1]);
    json.model = { ...json.model, unk_token: "<unk>", merges: [] };
    json.model.vocab = { "<unk>": 0, ...Object.fromEntries(characters) };
    json.added_tokens = [{ ...json.added_tokens[0], id: 0, content: "<unk>" }];
    const tokenizer = await loadTokenizer(folderOf({ "tokenizer.json": json }));
    expect(tokenizer.encode("aéb")).toEqual([1, 0, 2]);
    expect(tokenizer.encode("<unk>")).toEqual([6, 3, 4, 5, 7]);
  });

  test("are also those that the template, a config or their spelling make so; other added tokens are words", async () => {
    const added = ["<think>", "</s>", "<|fim|>", "[STOP]", "[CLS]", "<table>", "   "];
    const json = tinyJson();
    added.forEach((content, i) => {
      json.added_tokens.push({ ...json.added_tokens[0], id: 271 + i, content, special: false });
    });
    const tokenizer = await loadTokenizer(
      folderOf({
        "tokenizer.json": json,
        "tokenizer_config.json": { eos_token: { content: "[STOP]" } },
        "generation_config.json": { eos_token_id: [275] },
        "chat_template.jinja": "<think>   {{ messages[0].content }}",
      }),
    );
    const isControl = added.map((content, i) => !tokenizer.encode(content).includes(271 + i));
    expect(isControl).toEqual([true, true, true, true, true, false, false]);
    expect(tokenizer.encode("<table>")).toEqual([276]);
  });
});

describe("a folder that cannot be read as a tokenizer", () => {
  test("lacks tokenizer.json", async () => {
    const error = await failureOf(folderOf({}));
    expect(error.message).toMatch(/tokenizer\.json: the file must exist/);
    expect(error.hint).toContain("tokenizer_config.json");
    expect((await failureOf("/no/such/folder")).message).toContain("/no/such/folder/tokenizer.json");
  });

  test.each([
    ["tokenizer.json", '{"model": ', /tokenizer\.json: must be JSON/],
    ["tokenizer.json", "[]", /tokenizer\.json: the file is not as expected/],
    ["tokenizer.json", { added_tokens: [] }, /tokenizer\.json: model is not as expected/],
    [
      "tokenizer.json",
      { model: { vocab: {} }, added_tokens: [{ id: "7", content: "x" }] },
      /added_tokens\.0\.id/,
    ],
    ["tokenizer.json", { model: { vocab: {} } }, /tokenizer\.json: cannot be used/],
    ["tokenizer_config.json", "version https://git-lfs", /tokenizer_config\.json: must be JSON/],
    ["tokenizer_config.json", { eos_token: 7 }, /tokenizer_config\.json: eos_token is not as expected/],
    ["generation_config.json", { eos_token_id: "x" }, /generation_config\.json: eos_token_id/],
    [
      "tokenizer_config.json",
      { chat_template: [{ name: "rag", template: "" }] },
      /must have one named "default", got "rag"/,
    ],
  ])("has a bad %s: %o", async (name, value, message) => {
    const error = await failureOf(folderOf({ "tokenizer.json": tinyJson(), [name]: value }));
    expect(error.message).toMatch(message);
  });
});

const VECTORS = "../shared/tokenizers";
const FAMILIES = ["qwen2.5-instruct", "qwen3", "llama-3.1-instruct", "phi-3.5-mini-instruct"];
describe.skipIf(!existsSync(VECTORS))("the tokenizers of known models", () => {
  test.each(FAMILIES)("matches reference ids and texts of %s", async (family) => {
    const tokenizer = await loadTokenizer(join(VECTORS, family));
    const { encode } = JSON.parse(readFileSync(join(VECTORS, family, "vectors.json"), "utf8"));
    expect(encode.length).toBeGreaterThanOrEqual(31);
    const specials = [...tokenizer.controlIds].map((id) => tokenizer.decodeWithSpecials([id]));
    let plain = 0;
    for (const { text, ids, decoded, decoded_skip_special } of encode) {
      expect(tokenizer.encodeTemplate(text)).toEqual(ids);
      expect(tokenizer.decodeWithSpecials(ids)).toBe(decoded);
      expect(tokenizer.decode(ids)).toBe(decoded_skip_special);
      if (specials.some((special) => text.includes(special))) continue;
      expect(tokenizer.encode(text)).toEqual(ids);
      plain++;
    }
    expect(plain).toBeGreaterThanOrEqual(28);
  });

  test.each(FAMILIES)(
    "for any text made of the control tokens of %s, yields none of them",
    async (family) => {
      const tokenizer = await loadTokenizer(join(VECTORS, family));
      const texts = [...tokenizer.controlIds].map((id) => tokenizer.decodeWithSpecials([id]));
      const word = fc.oneof(fc.constantFrom(...texts), fc.constantFrom(" ", "\n", "<", "|>", "a", "<|"));
      fc.assert(
        fc.property(fc.array(word, { maxLength: 8 }), (words) => {
          const ids = tokenizer.encode(words.join(""));
          expect(ids.filter((id) => tokenizer.controlIds.has(id))).toEqual([]);
        }),
      );
      expect(texts.length).toBeGreaterThanOrEqual(13);
    },
  );
});
