import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Accepted,
  type CallMatching,
  type ExpectedCall,
  LENIENT,
  matchCalls,
  OMITTED,
  STRICT,
  sameValue,
} from "./call-match.ts";
import type { Call } from "./calls.ts";
import { formatLiteral, type Literal, parseLiteral } from "./literal.ts";

const call = (name: string, json: string): Call => ({
  name,
  arguments: parseLiteral(json) as ReadonlyMap<string, Literal>,
});
const expected = (name: string, json: string): ExpectedCall => ({
  name,
  accepted: new Map([...call(name, json).arguments].map(([key, value]) => [key, [value]])),
});
const gold = expected("book", '{"city": "Lima", "nights": 2, "rooms": [{"beds": 1.0}]}');
const right = call("book", '{"rooms": [{"beds": 1.0}], "nights": 2, "city": "Lima"}');
const fault = (
  given: Call | Call[],
  matching: CallMatching = STRICT,
  wanted: ExpectedCall | ExpectedCall[] = gold,
) => matchCalls([given].flat(), [wanted].flat(), matching)?.errorClass;

test("the order of arguments and of keys does not matter", () => {
  expect(fault(right)).toBeUndefined();
  const nested = expected("f", '{"a": {"x": 1, "y": 2}}');
  expect(fault(call("f", '{"a": {"y": 2, "x": 1}}'), STRICT, nested)).toBeUndefined();
});

describe("says what is wrong:", () => {
  const rest = '"rooms": [{"beds": 1.0}]';
  test.each([
    [[], "wrong_count", "wrong count: 0 calls, not 1"],
    [[right, right], "wrong_count", "wrong count: 2 calls, not 1"],
    [[call("cancel", "{}")], "wrong_function", "wrong function: cancel, not book"],
    [[call("book", `{"city": "Lima", ${rest}}`)], "missing_argument", "missing argument: nights"],
    [
      [call("book", `{"city": "Lima", "nights": 2, "tip": 9, ${rest}}`)],
      "extra_argument",
      "extra argument: tip",
    ],
    [
      [call("book", `{"city": "Lima", "days": 2, ${rest}}`)],
      "misnamed_argument",
      "misnamed argument: days in place of nights",
    ],
    [
      [call("book", `{"city": "Lima", "night": 3, ${rest}}`)],
      "misnamed_argument",
      "misnamed argument: night in place of nights",
    ],
    [
      [call("book", `{"city": "Lima", "colour": "red", ${rest}}`)],
      "missing_argument",
      "missing argument: nights",
    ],
    [
      [call("book", `{"city": "Rome", "nights": 2, ${rest}}`)],
      "wrong_value",
      'wrong value: city is "Rome", not "Lima"',
    ],
    [
      [call("book", `{"city": "lima", "nights": 2, ${rest}}`)],
      "wrong_value",
      'wrong value: city is "lima", not "Lima"',
    ],
  ])("%j: %s", (calls, errorClass, feedback) => {
    expect(matchCalls(calls, [gold])).toEqual({ errorClass, feedback });
  });
});

describe("numbers", () => {
  const one = expected("f", '{"a": 1}');
  test.each([
    ["1", undefined, undefined, undefined],
    ["1.0", "wrong_value", undefined, undefined],
    ['"1"', "wrong_value", "wrong_value", undefined],
    ['" 1.0 "', "wrong_value", "wrong_value", undefined],
    ["true", "wrong_value", "wrong_value", "wrong_value"],
    ['"one"', "wrong_value", "wrong_value", "wrong_value"],
    ["[1]", "wrong_value", "wrong_value", "wrong_value"],
    ["1.5", "wrong_value", "wrong_value", "wrong_value"],
  ])("%s for 1: exact %s, value %s, text %s", (value, exact, byValue, text) => {
    const given = call("f", `{"a": ${value}}`);
    expect(fault(given, STRICT, one)).toBe(exact);
    expect(fault(given, { ...STRICT, numbers: "value" }, one)).toBe(byValue);
    expect(fault(given, { ...STRICT, numbers: "text" }, one)).toBe(text);
  });

  test("no digit is lost", () => {
    const big = expected("f", '{"a": 9007199254740993}');
    const near = call("f", '{"a": "9007199254740992"}');
    expect(fault(near, LENIENT, big)).toBe("wrong_value");
    expect(fault(call("f", '{"a": 9007199254740992.0}'), LENIENT, big)).toBe("wrong_value");
  });
});

test("an omitted default is its value only where the rule says so, on either side", () => {
  const defaults = new Map([["f", new Map<string, Literal>([["b", 5n]])]]);
  const assumed: CallMatching = { ...STRICT, defaults: "assumed" };
  const written = expected("f", '{"a": 1, "b": 5}');
  const omitted = expected("f", '{"a": 1}');
  const check = (given: string, wanted: ExpectedCall, rules: CallMatching) =>
    matchCalls([call("f", given)], [wanted], rules, defaults)?.errorClass;
  expect(check('{"a": 1}', written, STRICT)).toBe("missing_argument");
  expect(check('{"a": 1}', written, assumed)).toBeUndefined();
  expect(check('{"a": 1, "b": 5}', omitted, STRICT)).toBe("extra_argument");
  expect(check('{"a": 1, "b": 5}', omitted, assumed)).toBeUndefined();
  expect(check('{"a": 1, "b": 6}', omitted, assumed)).toBe("wrong_value");
  expect(check('{"a": 1}', expected("f", '{"a": 1, "b": 6}'), assumed)).toBe("missing_argument");
});

test("alternatives count only where the rule says so", () => {
  const accepted = new Map<string, Accepted[]>([
    ["unit", ["C", "Celsius", OMITTED]],
    ["note", [OMITTED, "x"]],
  ]);
  const wanted = { name: "f", accepted };
  const any: CallMatching = { ...STRICT, alternatives: "any" };
  const cases: [string, string | undefined, string | undefined][] = [
    ['{"unit": "C"}', undefined, undefined],
    ['{"unit": "Celsius"}', "wrong_value", undefined],
    ["{}", "missing_argument", undefined],
    ['{"unit": "C", "note": "x"}', "extra_argument", undefined],
    ['{"unit": "F"}', "wrong_value", "wrong_value"],
  ];
  for (const [given, strict, lenient] of cases) {
    expect(fault(call("f", given), STRICT, wanted)).toBe(strict);
    expect(fault(call("f", given), any, wanted)).toBe(lenient);
  }
});

describe("parallel calls", () => {
  const wanted = [expected("f", '{"a": 1}'), expected("g", "{}"), expected("f", '{"a": 2}')];
  const calls = [call("f", '{"a": 1}'), call("g", "{}"), call("f", '{"a": 2}')];
  const any: CallMatching = { ...STRICT, order: "any" };

  test("keep their order, unless the rule lets them go", () => {
    const turned = [calls[2]!, calls[1]!, calls[0]!];
    expect(fault(calls, STRICT, wanted)).toBeUndefined();
    expect(fault(turned, STRICT, wanted)).toBe("wrong_value");
    expect(fault(turned, any, wanted)).toBeUndefined();
  });

  test("count once each", () => {
    expect(fault([calls[0]!, calls[1]!, calls[0]!], any, wanted)).toBe("wrong_value");
  });

  test("find a pairing where taking the first that fits finds none", () => {
    const accepted = (...values: Literal[]): ExpectedCall => ({
      name: "f",
      accepted: new Map([["a", values]]),
    });
    const choices = [accepted(1n, 2n), accepted(1n)];
    const rules: CallMatching = { ...any, alternatives: "any" };
    expect(fault([call("f", '{"a": 1}'), call("f", '{"a": 2}')], rules, choices)).toBeUndefined();
    expect(fault([call("f", '{"a": 2}'), call("f", '{"a": 1}')], rules, choices)).toBeUndefined();
    expect(fault([call("f", '{"a": 2}'), call("f", '{"a": 2}')], rules, choices)).toBe("wrong_value");
  });
});

describe("laws", () => {
  const scalar = fc.oneof(
    fc.constantFrom<Literal>(null, true, false, 0n, 1n, 1, 0.5, "", "1", "1.0", "a"),
    fc.bigInt(),
    fc.double({ noNaN: true }),
  );
  const { value } = fc.letrec<{ value: Literal }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      scalar,
      fc.array(tie("value"), { maxLength: 3 }),
      fc
        .dictionary(fc.string({ maxLength: 2 }), tie("value"), { maxKeys: 3 })
        .map((it) => new Map(Object.entries(it))),
    ),
  }));
  const args = fc
    .dictionary(fc.constantFrom("a", "b", "c", "__proto__x"), value)
    .map((it) => new Map(Object.entries(it)));
  const calls = fc.array(fc.record({ name: fc.constantFrom("f", "g"), arguments: args }), {
    minLength: 1,
    maxLength: 5,
  });
  const wantedFrom = (list: readonly Call[]): ExpectedCall[] =>
    list.map(({ name, arguments: given }) => ({
      name,
      accepted: new Map([...given].map(([key, it]) => [key, [it]])),
    }));
  const reversed = (it: Literal): Literal => {
    if (it instanceof Map) return new Map([...it].reverse().map(([key, inner]) => [key, reversed(inner)]));
    return Array.isArray(it) ? it.map(reversed) : it;
  };
  const matchings = fc.record<CallMatching>({
    order: fc.constantFrom("kept", "any"),
    numbers: fc.constantFrom("exact", "value", "text"),
    defaults: fc.constantFrom("written", "assumed"),
    alternatives: fc.constantFrom("first", "any"),
  });

  test("the answer of the data passes under every rule, its keys in any order", () => {
    fc.assert(
      fc.property(calls, matchings, (list, rules) => {
        const turned = list.map((it) => ({ ...it, arguments: reversed(it.arguments) as Call["arguments"] }));
        expect(matchCalls(turned, wantedFrom(list), rules)).toBeUndefined();
      }),
    );
  });

  test("in any order, no order of the calls changes the verdict", () => {
    fc.assert(
      fc.property(calls, calls, matchings, (list, others, rules) => {
        const verdict = (given: Call[]) =>
          matchCalls(given, wantedFrom(others), { ...rules, order: "any" }) === undefined;
        expect(verdict([...list].reverse())).toBe(verdict(list));
      }),
    );
  });

  test("what is strictly right is leniently right", () => {
    fc.assert(
      fc.property(calls, calls, (list, others) => {
        if (matchCalls(list, wantedFrom(others))) return;
        expect(matchCalls(list, wantedFrom(others), LENIENT)).toBeUndefined();
      }),
    );
  });

  test("values compare alike from both sides, and exactly as their sorted text does", () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        for (const numbers of ["exact", "value", "text"] as const) {
          expect(sameValue(a, b, numbers)).toBe(sameValue(b, a, numbers));
          expect(sameValue(a, a, numbers)).toBe(true);
        }
        const text = (it: Literal) => formatLiteral(it, { sorted: true });
        if (!/-0/.test(text(a) + text(b))) expect(sameValue(a, b, "exact")).toBe(text(a) === text(b));
      }),
      { numRuns: 500 },
    );
  });
});
