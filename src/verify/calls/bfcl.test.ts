/** By hand, from reading BFCL's checker; test/golden/bfcl compares with the checker itself. */
import { describe, expect, test } from "vitest";
import { type BfclParameter, matchBfcl } from "./bfcl.ts";
import { type Literal, parseLiteral } from "./literal.ts";

const map = (json: string) => parseLiteral(json) as ReadonlyMap<string, Literal>;

/** The verdict on one argument `a`: given, accepted, type. */
function verdict(given: string, accepted: string, parameter: BfclParameter) {
  const functions = new Map([["f", { parameters: new Map([["a", parameter]]), required: [] }]]);
  const answers = [
    { name: "f", possible: map(`{"a": ${accepted}}`) as ReadonlyMap<string, readonly Literal[]> },
  ];
  return (
    matchBfcl([{ name: "f", arguments: map(`{"a": ${given}}`) }], answers, functions)?.errorClass ?? "valid"
  );
}

describe("values by type", () => {
  test.each<[string, string, BfclParameter, string]>([
    ["5", "[5]", { type: "integer" }, "valid"],
    ["5.0", "[5]", { type: "integer" }, "wrong_value"],
    ["5", "[5.0]", { type: "float" }, "valid"],
    ['"5"', "[5]", { type: "integer" }, "wrong_value"],
    ["true", "[1]", { type: "integer" }, "wrong_value"],
    ["null", '[""]', { type: "integer" }, "wrong_value"],
    ['"New York, NY."', '["new york ny"]', { type: "string" }, "valid"],
    ['"NewYork"', '["New York"]', { type: "string" }, "valid"],
    ['"Boston"', '["New York"]', { type: "string" }, "wrong_value"],
    // a "variable", text where a number is asked for, must be the very same text
    ['"x"', '["x"]', { type: "integer" }, "valid"],
    ['"X"', '["x"]', { type: "integer" }, "wrong_value"],
    ['["A-b", "c"]', '[["ab", "C"]]', { type: "array", items: "string" }, "valid"],
    ["[1.0]", "[[1]]", { type: "array", items: "integer" }, "wrong_value"],
    ["[1]", "[[1.5]]", { type: "array", items: "float" }, "wrong_value"],
    ["[1, 2]", "[[2, 1]]", { type: "tuple", items: "integer" }, "wrong_value"],
    ['{"k": "X", "n": 1}', '[{"n": [1], "k": ["y", "x"]}]', { type: "dict" }, "valid"],
    ['{"k": "x"}', '[{"k": ["x"], "n": [1, ""]}]', { type: "dict" }, "valid"],
    ['{"k": "x"}', '[{"k": ["x"], "n": [1]}]', { type: "dict" }, "wrong_value"],
    ['{"k": "x", "z": 1}', '[{"k": ["x"]}]', { type: "dict" }, "wrong_value"],
    ['[{"k": 1}, {"k": 2}]', '[[{"k": [1]}, {"k": [2, 3]}]]', { type: "array", items: "dict" }, "valid"],
    [
      '[{"k": 2}, {"k": 1}]',
      '[[{"k": [1]}, {"k": [2, 3]}]]',
      { type: "array", items: "dict" },
      "wrong_value",
    ],
    ['"anything"', '["Anything"]', { type: "any" }, "valid"],
  ])("%s of %s: %o: %s", (given, accepted, parameter, expected) => {
    expect(verdict(given, accepted, parameter)).toBe(expected);
  });
});

test("calls pair in any order, the first that fits taken first, as many as expected", () => {
  const functions = new Map([
    ["f", { parameters: new Map([["a", { type: "integer" } as const]]), required: ["a"] }],
  ]);
  const call = (a: bigint) => ({ name: "f", arguments: new Map([["a", a]]) });
  const answer = (...accepted: bigint[]) => ({ name: "f", possible: new Map([["a", accepted]]) });
  expect(matchBfcl([call(2n), call(1n)], [answer(1n), answer(2n)], functions)).toBeUndefined();
  expect(matchBfcl([call(1n)], [answer(1n), answer(2n)], functions)).toMatchObject({
    errorClass: "wrong_count",
  });
  // BFCL does not look for another pairing
  expect(matchBfcl([call(1n), call(2n)], [answer(1n, 2n), answer(1n)], functions)).toMatchObject({
    errorClass: "wrong_value",
  });
});

test("a required argument may not be left out, whatever the answers say", () => {
  const functions = new Map([
    ["f", { parameters: new Map([["a", { type: "integer" } as const]]), required: ["a"] }],
  ]);
  const answers = [{ name: "f", possible: map('{"a": [1, ""]}') as ReadonlyMap<string, readonly Literal[]> }];
  expect(matchBfcl([{ name: "f", arguments: map("{}") }], answers, functions)).toEqual({
    errorClass: "missing_argument",
    feedback: "missing argument: a",
  });
});
