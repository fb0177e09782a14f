import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { schemaFromBfcl, schemaFromPython } from "./types.ts";

describe("Python's types", () => {
  test.each<[string, object, boolean]>([
    ["str", { type: "string" }, false],
    ["int", { type: "integer" }, false],
    ["float", { type: "number" }, false],
    ["bool", { type: "boolean" }, false],
    ["dict", { type: "object" }, false],
    ["list", { type: "array" }, false],
    ["str, optional", { type: "string" }, true],
    ["List[int]", { type: "array", items: { type: "integer" } }, false],
    [
      "List[List[float]], optional",
      { type: "array", items: { type: "array", items: { type: "number" } } },
      true,
    ],
    ["Tuple[int, int]", { type: "array", items: { type: "integer" } }, false],
    ["Tuple[int, str]", { type: "array" }, false],
    ["Dict[str, int]", { type: "object" }, false],
    ["Optional[List[str]]", { type: "array", items: { type: "string" } }, true],
    ["typing.List[str]", { type: "array", items: { type: "string" } }, false],
    ["Union[int, str]", { anyOf: [{ type: "integer" }, { type: "string" }] }, false],
    ["Union[int, None]", { type: "integer" }, true],
    ["int | float", { anyOf: [{ type: "integer" }, { type: "number" }] }, false],
    ["Callable[[float], float]", {}, false],
    ["Any", {}, false],
    ["", {}, false],
    ["constructor", {}, false],
  ])("%s", (type, schema, optional) => {
    expect(schemaFromPython(type)).toEqual({ schema, optional });
  });

  test("of any text give a schema", () => {
    const pieces = fc.array(
      fc.constantFrom("List", "Optional", "Union", "[", "]", ",", "|", "int", " ", "optional"),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          pieces.map((it) => it.join("")),
        ),
        (type) => {
          expect(typeof schemaFromPython(type).schema).toBe("object");
        },
      ),
    );
  });
});

test("BFCL's types become those of JSON Schema, at any depth", () => {
  const schema = {
    type: "dict",
    properties: {
      a: { type: "float", description: "x" },
      b: { type: "tuple", items: { type: "dict", properties: { c: { type: "any", optional: true } } } },
    },
    required: ["a"],
  };
  expect(schemaFromBfcl(schema)).toEqual({
    type: "object",
    properties: {
      a: { type: "number", description: "x" },
      b: { type: "array", items: { type: "object", properties: { c: {} } } },
    },
    required: ["a"],
  });
  expect(schemaFromBfcl({ type: "array", items: { type: "HashMap" } })).toBe("HashMap");
});
