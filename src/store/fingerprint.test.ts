import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fingerprintAdapter, fingerprintModel } from "./fingerprint.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-fingerprint-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, content: string | Buffer) => writeFile(join(folder, name), content);

test("is the SHA-256 of name, size and content, also of a file larger than one read", async () => {
  const weights = Buffer.alloc(9 * 2 ** 20, 7);
  await write("model.safetensors", weights);
  const expected = createHash("sha256").update(`model.safetensors\n${weights.length}\n`).update(weights);
  expect((await fingerprintModel(folder)).weights).toBe(expected.digest("hex"));
});

test("changes with weights, config and tokenizer, each on its own, and with nothing else", async () => {
  await write("model-00001-of-00002.safetensors", "ab");
  await write("model-00002-of-00002.safetensors", "c");
  await write("config.json", "{}");
  await write("chat_template.jinja", "x");
  const before = await fingerprintModel(folder);
  await write("README.md", "hello");
  expect(await fingerprintModel(folder)).toEqual(before);
  await write("chat_template.jinja", "y");
  const retemplated = await fingerprintModel(folder);
  expect(retemplated).toEqual({ ...before, tokenizer: retemplated.tokenizer });
  expect(retemplated.tokenizer).not.toBe(before.tokenizer);
  // the same bytes, cut elsewhere
  await write("model-00001-of-00002.safetensors", "a");
  await write("model-00002-of-00002.safetensors", "bc");
  expect((await fingerprintModel(folder)).weights).not.toBe(before.weights);
});

test("of an adapter covers its settings and its weights, and nothing beside them", async () => {
  await write("adapter_config.json", "{}");
  await write("adapter_model.safetensors", "a");
  const before = await fingerprintAdapter(folder);
  await write("README.md", "hello");
  expect(await fingerprintAdapter(folder)).toBe(before);
  await write("adapter_config.json", '{"r":2}');
  expect(await fingerprintAdapter(folder)).not.toBe(before);
});

test("of a folder that is not there is an error with its name", async () => {
  await expect(fingerprintModel(join(folder, "gone"))).rejects.toMatchObject({
    code: "checkpoint",
    message: expect.stringMatching(/gone: cannot be read: ENOENT/),
  });
});
