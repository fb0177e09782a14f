import { describe, expect, test } from "vitest";
import { MulliganConfig } from "../train/config.ts";
import { fields } from "./fields.ts";
import {
  fieldsOfGroup,
  flagFromPath,
  flagsFromOptions,
  GROUPS,
  type GroupName,
  normalizeFlags,
} from "./flags.ts";

describe("fields", () => {
  const field = (path: string) => fields.find((field) => field.path === path);

  test("are every setting of the schema with its default", () => {
    const config = MulliganConfig.parse({});
    const flat = Object.entries(config).flatMap(([name, value]) =>
      ["collect", "eval", "verifier"].includes(name)
        ? Object.entries(value).map(([inner, value]) => [`${name}.${inner}`, value])
        : [[name, value]],
    );
    expect(Object.fromEntries(fields.map(({ path, default: value }) => [path, value]))).toEqual(
      Object.fromEntries(flat),
    );
  });

  test("know their type, choices and description", () => {
    expect(field("numGenerations")).toEqual({
      path: "numGenerations",
      type: "int",
      default: 8,
      description: "reflections per failed attempt (G)",
      choices: [],
    });
    expect(field("scaleRewards")).toMatchObject({ type: "enum", choices: ["group", "batch", "none"] });
    expect(["topP", "dynamicSampling", "model", "taskOptions"].map((path) => field(path)?.type)).toEqual([
      ...["number", "boolean", "string", "json"],
    ]);
  });
});

test("every setting stands under exactly one heading", () => {
  const grouped = (Object.keys(GROUPS) as GroupName[]).flatMap(fieldsOfGroup).map(({ path }) => path);
  expect(grouped.sort()).toEqual(fields.map(({ path }) => path).sort());
});

test("flags are kebab-case, dotted where nested, and all different", () => {
  expect(flagFromPath("numGenerations")).toBe("--num-generations");
  expect(flagFromPath("eval.testProblems")).toBe("--eval.test-problems");
  expect(flagFromPath("adamBeta1")).toBe("--adam-beta1");
  expect(new Set(fields.map(({ path }) => flagFromPath(path))).size).toBe(fields.length);
});

describe("spellings", () => {
  test.each([
    [
      ["--numGenerations", "4"],
      ["--num-generations", "4"],
    ],
    [["--num_generations=4"], ["--num-generations=4"]],
    [
      ["--eval.testProblems", "4"],
      ["--eval.test-problems", "4"],
    ],
    [
      ["--eval.test_problems", "4"],
      ["--eval.test-problems", "4"],
    ],
    [
      ["--top_p", "0.5"],
      ["--top-p", "0.5"],
    ],
    [["--no-dynamic-sampling"], ["--dynamic-sampling=false"]],
    [["--noDynamicSampling"], ["--dynamic-sampling=false"]],
  ])("%j becomes %j", (given, expected) => {
    expect(normalizeFlags(["train", ...given])).toEqual(["train", ...expected]);
  });

  test.each([
    [["--num-generations", "4"]],
    [["--taskOptions=a_B\n--x"], ["--task-options=a_B\n--x"]],
    [["--no-num-generations"]],
    [["--dry_run", "-v", "a_b", "-"]],
    [["--", "--numGenerations"]],
  ])("%j keeps what is not a flag's name", (given, expected = given) => {
    expect(normalizeFlags(given)).toEqual(expected);
  });
});

test("only settings are taken from a command's options", () => {
  expect(flagsFromOptions({ "eval.seed": "3", dynamicSampling: true, config: "x.ts", resume: true })).toEqual(
    {
      "eval.seed": "3",
      dynamicSampling: "true",
    },
  );
});
