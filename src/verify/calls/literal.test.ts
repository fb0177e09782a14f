import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatLiteral, type Literal, parseLiteral, readLiteral } from "./literal.ts";

/** Maps as objects, integers as "1n": readable in an expectation. */
const plain = (value: Literal | undefined): unknown => {
  if (value instanceof Map) return { map: [...value].map(([key, item]) => [key, plain(item)]) };
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === "bigint" ? `${value}n` : value;
};

describe("JSON", () => {
  test.each([
    ["1", "1n"],
    ["1.0", 1],
    ["-0.5e3", -500],
    ["12345678901234567890123", "12345678901234567890123n"],
    [
      '  {"a": [1, null, true], "b": "\\u00e9\\n"} ',
      {
        map: [
          ["a", ["1n", null, true]],
          ["b", "é\n"],
        ],
      },
    ],
    [
      '{"__proto__": {"x": 1}, "constructor": 2}',
      {
        map: [
          ["__proto__", { map: [["x", "1n"]] }],
          ["constructor", "2n"],
        ],
      },
    ],
    ["[]", []],
    ["{}", { map: [] }],
  ])("%s", (text, value) => {
    expect(plain(parseLiteral(text))).toEqual(value);
  });

  test.each([
    ["{'a': 1}", "a string expected"],
    ['{"a": 1, "a": 2}', 'the key "a" stands twice'],
    ['{"a": 1,}', "a string expected"],
    ["[1 2]", '"," or "]" expected'],
    ["01", "a number cannot go on like this"],
    ["1x", "a number cannot go on like this"],
    ["1e999", "a number too large"],
    ["9".repeat(401), "a number of more than 400 digits"],
    ['"a', "a string without end"],
    ['"a\nb"', "a string with a bad escape or a raw line break"],
    ['"\\x41"', "a string with a bad escape or a raw line break"],
    ["True", "a value expected"],
    ["NaN", "a value expected"],
    ["[".repeat(100), "nested deeper than 32"],
    ["", "a value expected"],
  ])("%s is refused: %s", (text, error) => {
    expect(readLiteral(text, 0, "json")).toMatchObject({ error });
  });

  test("any value survives being written and read", () => {
    const { value } = fc.letrec<{ value: Literal }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom<Literal[]>(null, true, false),
        fc.bigInt(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => (x === 0 ? 0 : x)),
        fc.string({ unit: "binary" }),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.array(fc.tuple(fc.string(), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
      ),
    }));
    fc.assert(
      fc.property(value, (it) => {
        expect(parseLiteral(formatLiteral(it))).toEqual(it);
      }),
    );
  });

  test("reads what JSON.parse reads, and nothing else but for keys that stand twice", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        expect(JSON.parse(formatLiteral(parseLiteral(text)!))).toEqual(JSON.parse(text));
      }),
    );
    const pieces = fc.array(
      fc.constantFrom("{", "}", "[", "]", '"', ":", ",", "1", "-", ".", "e", "\\", "true", " "),
    );
    fc.assert(
      fc.property(pieces, (parts) => {
        const text = parts.join("");
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        if (parseLiteral(text) !== undefined) expect(isJson).toBe(true);
        else if (isJson)
          expect(readLiteral(text, 0, "json")).toMatchObject({ error: expect.stringMatching(/twice/) });
      }),
      { numRuns: 1000 },
    );
  });
});

describe("Python", () => {
  test.each([
    ["'it\\'s'", "it's"],
    ['"a\\x41\\u00e9\\q"', "aAé\\q"],
    ["[True, False, None,]", [true, false, null]],
    ["(1, 2.)", ["1n", 2]],
    ["(1)", "1n"],
    ["(1,)", ["1n"]],
    ["()", []],
    ["+.5", 0.5],
    ["{'a': -1}", { map: [["a", "-1n"]] }],
  ])("%s", (text, value) => {
    expect(plain(parseLiteral(text, "python"))).toEqual(value);
  });

  test.each([
    "true",
    "x",
    "f()",
    "__import__('os')",
    "1 + 1",
    "{1: 2}",
    "'\\xg0'",
    "1_000",
    "[x for x in y]",
  ])("%s is refused", (text) => {
    expect(parseLiteral(text, "python")).toBeUndefined();
  });
});
