/**
 * The configuration of a run: defaults < preset < file < flags, parsed by the one schema. What comes out is complete and
 * valid, or an error names the setting, the rule and the value. Must not know what a setting does.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { z } from "zod";
import { MulliganError, messageOf, nearestName } from "../core/errors.ts";
import { readJsonFile } from "../core/json-file.ts";
import { importDefault } from "../tasks/import-file.ts";
import { defineConfig, MulliganConfig } from "../train/config.ts";
import { fields, setAtPath, valueFromText } from "./fields.ts";

/** Some settings, nested as in the schema. */
export type PartialConfig = z.input<typeof MulliganConfig>;

export interface ConfigSources {
  /** A preset's name; one of `presets`. */
  preset?: string;
  presets?: Readonly<Record<string, PartialConfig>>;
  file?: ConfigFile;
  /** Dotted path to the text that was given: `{ "eval.testProblems": "500" }`. */
  flags?: Readonly<Record<string, string>>;
}

export interface ConfigFile {
  path: string;
  values: unknown;
}

const FILE_NAMES = ["mulligan.config.ts", "mulligan.config.js", "mulligan.config.json"];

/** Why a limit is there, where it is not plain. */
const REASONS: Record<string, string> = {
  numGenerations: "a group of one has no baseline to compare a reflection with",
  temperature:
    "greedy reflections would all be the same, and equal rewards teach nothing; --eval.temperature may be 0",
  topP: "1 turns nucleus sampling off",
};

/**
 * The configuration file: the one that is named, else `mulligan.config.{ts,js,json}` of the folder when there is one.
 * Throws `MulliganError("config")`.
 */
export async function loadConfigFile(
  named?: string,
  folder = process.cwd(),
): Promise<ConfigFile | undefined> {
  const path = named ?? FILE_NAMES.find((name) => existsSync(resolve(folder, name)));
  if (path === undefined) return undefined;
  const absolute = resolve(folder, path);
  if (!existsSync(absolute)) {
    throw new MulliganError("config", `config: must be a file, got "${path}"`, {
      hint: `leave --config out to use defaults, or create ${FILE_NAMES[0]}`,
    });
  }
  try {
    return { path, values: await importValues(absolute) };
  } catch (cause) {
    throw new MulliganError("config", `${path}: cannot be loaded: ${messageOf(cause)}`, {
      hint: "it must export the settings: export default { numGenerations: 8 }",
      cause,
    });
  }
}

async function importValues(path: string): Promise<unknown> {
  if (path.endsWith(".json")) return readJsonFile(path);
  return importDefault(path, { mulligan: { defineConfig } });
}

/** Merges the sources, later ones over earlier ones, and checks the result. Throws `MulliganError("config")`. */
export function resolveConfig({ preset, presets = {}, file, flags = {} }: ConfigSources): MulliganConfig {
  // without a prototype: a file may have a field "__proto__", which then is one that nobody knows
  const merged: Record<string, unknown> = Object.create(null);
  if (preset !== undefined) overlay(merged, presetNamed(preset, presets));
  if (file !== undefined) {
    if (!isObject(file.values)) {
      throw new MulliganError(
        "config",
        `${file.path}: must export an object of settings, got ${show(file.values)}`,
        {
          hint: "export default { numGenerations: 8 }",
        },
      );
    }
    overlay(merged, file.values);
  }
  const given: Record<string, unknown> = {};
  for (const [path, text] of Object.entries(flags)) {
    const field = fields.find((field) => field.path === path);
    if (!field) throw unknownSetting(path, "");
    setAtPath(given, path, valueFromText(field, text));
  }
  overlay(merged, given);
  const result = MulliganConfig.safeParse(merged);
  if (result.success) return result.data;
  throw configError(result.error.issues, merged, file);
}

function presetNamed(name: string, presets: Readonly<Record<string, PartialConfig>>): PartialConfig {
  const found = presets[name];
  if (found && Object.hasOwn(presets, name)) return found;
  throw new MulliganError(
    "config",
    `preset: must be one of ${Object.keys(presets).join(", ")}, got "${name}"`,
    {
      hint: didYouMean(name, Object.keys(presets)),
    },
  );
}

/**
 * Sections merge key by key; any other value, also a record such as `taskOptions`, is replaced whole. Options of one task
 * mean nothing to another: who names another task begins without any.
 */
function overlay(target: Record<string, unknown>, source: object): void {
  if ("task" in source && target.task !== undefined && source.task !== target.task) delete target.taskOptions;
  for (const [name, value] of Object.entries(source)) {
    const isSection = fields.some(({ path }) => path.startsWith(`${name}.`));
    const old = target[name];
    target[name] = isSection && isObject(value) ? { ...(isObject(old) ? old : {}), ...value } : value;
  }
}

/** All broken rules, one a line, the first one's hint. */
function configError(
  issues: readonly z.core.$ZodIssue[],
  values: Record<string, unknown>,
  file: ConfigFile | undefined,
): MulliganError {
  const [unknown] = issues.filter((issue) => issue.code === "unrecognized_keys");
  if (unknown) {
    return unknownSetting([...unknown.path, unknown.keys[0]].join("."), file ? ` in ${file.path}` : "");
  }
  const lines = issues.map((issue) => {
    const got = issue.path.reduce<unknown>((value, key) => (value as never)?.[key], values);
    return `${issue.path.join(".")}: ${ruleOf(issue)}, got ${show(got)}`;
  });
  const isLimit = ({ code }: z.core.$ZodIssue) => code === "too_small" || code === "too_big";
  const reason = issues
    .filter(isLimit)
    .map((issue) => REASONS[issue.path.join(".")])
    .find(Boolean);
  return new MulliganError("config", lines.join("\n"), {
    hint: reason ?? "`mulligan train --help` lists every setting with its default",
  });
}

function unknownSetting(path: string, where: string): MulliganError {
  return new MulliganError("config", `${path}: unknown setting${where}`, {
    hint: didYouMean(
      path,
      fields.map((field) => field.path),
    ),
  });
}

function didYouMean(name: string, choices: readonly string[]): string {
  const near = nearestName(name, choices);
  return near === undefined ? "`mulligan train --help` lists what there is" : `did you mean ${near}?`;
}

function ruleOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "too_small":
      return `must be ${issue.inclusive ? "at least" : "greater than"} ${issue.minimum}`;
    case "too_big":
      return `must be ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
    case "invalid_value":
      return `must be one of ${issue.values.join(", ")}`;
    case "invalid_type":
      return `must be ${TYPE_NAMES[typeAt(issue)] ?? typeAt(issue)}`;
    default:
      return issue.message;
  }
}

/** zod says "number" for text where a whole number belongs; the field knows better. */
function typeAt({ path, expected }: z.core.$ZodIssueInvalidType): string {
  return expected === "number"
    ? (fields.find((field) => field.path === path.join("."))?.type ?? expected)
    : expected;
}

const TYPE_NAMES: Record<string, string> = {
  int: "a whole number",
  number: "a finite number",
  boolean: "true or false",
  string: "text",
  object: "an object of settings",
  record: "an object",
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** As a person would write it in a configuration file. */
function show(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  return JSON.stringify(value) ?? typeof value;
}
