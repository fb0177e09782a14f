import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseReference } from "./reference.ts";

test.each([
  ["Qwen/Qwen3-0.6B", { name: "Qwen/Qwen3-0.6B", revision: "main" }],
  ["org/model_1.5@v1.0", { name: "org/model_1.5", revision: "v1.0" }],
  ["org/model@refs/pr/1", { name: "org/model", revision: "refs/pr/1" }],
])("%s is a name of the hub", (text, reference) => {
  expect(parseReference(text)).toEqual({ type: "model", ...reference });
});

test.each([
  "mini",
  "./a/b",
  "../a/b",
  "/a/b",
  "~/a/b",
  "a/b/c",
  "a\\b",
  "a/..",
  "../b",
  "a/b@",
  "a/b@../x",
  "a/b@x/../y",
])("%s is none", (text) => {
  expect(parseReference(text)).toBeUndefined();
});

test.each(["a/b@c@d", "a/b@/x", "a/b@x//y", "a--b/c", "a/b..c", "", "/", "@main", "a/b c"])(
  "%j is none either",
  (text) => {
    expect(parseReference(text)).toBeUndefined();
  },
);

test("for any text, what is taken for a name stays inside the cache", () => {
  const word = fc.constantFrom("a", "..", ".", "/", "@", "-", "--", "b", "\\", "\0", "main", "~");
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 9 }).map((words) => words.join("")),
      (text) => {
        const reference = parseReference(text);
        if (!reference) return;
        const folder = `/cache/models--${reference.name.replace("/", "--")}`;
        expect(folder.split("/")).toHaveLength(3);
        expect(join(folder, "refs", reference.revision)).toBe(`${folder}/refs/${reference.revision}`);
      },
    ),
    { numRuns: 2000 },
  );
});
