/**
 * Settings as command-line flags: `--num-generations 8`, `--eval.test-problems 500`. Names, types, defaults and choices
 * come from the schema; only the headings of the help text are written here.
 */
import { type Command, Option } from "commander";
import { type Field, fields } from "./fields.ts";

/** Headings of `--help`, each with the paths that stand under it (a whole section by "section."). */
export const GROUPS = {
  model: { heading: "What to run:", paths: ["model"] },
  run: {
    heading: "What to run:",
    paths: [
      "task",
      "taskOptions",
      "datasetRevisions",
      "chatTemplateKwargs",
      "seed",
      "threads",
      "device",
      "quantization",
      "profile",
    ],
  },
  collect: { heading: "Collecting failures:", paths: ["collect."] },
  lengths: { heading: "Sampling:", paths: ["maxAttemptLength", "maxCompletionLength"] },
  /** Of training and collecting; evaluations have settings of their own. */
  sampling: { heading: "Sampling:", paths: ["temperature", "topP", "topK"] },
  method: {
    heading: "Reflect, retry, reward:",
    paths: [
      ...["maxSteps", "failuresPerStep", "numGenerations", "retriesPerReflection", "learnFrom", "reward"],
      ...["dynamicSampling", "maxSkippedSteps", "saveSteps", "saveTotalLimit", "metricForBestModel"],
    ],
  },
  loss: {
    heading: "Loss:",
    paths: [
      ...["scaleRewards", "lossType", "beta", "klEstimator", "epsilon", "epsilonHigh", "numIterations"],
      ...["gradientAccumulationSteps", "maskTruncatedCompletions"],
    ],
  },
  lora: {
    heading: "LoRA:",
    paths: ["loraR", "loraAlpha", "useRslora", "loraTargetModules", "adapter"],
  },
  optimizer: {
    heading: "Optimiser:",
    paths: [
      ...["learningRate", "lrSchedulerType", "warmupSteps", "adamBeta1", "adamBeta2", "adamEpsilon"],
      ...["weightDecay", "maxGradNorm"],
    ],
  },
  memory: {
    heading: "Memory:",
    paths: ["gradientCheckpointing", "maxTokensPerRun", "memoryCheck"],
  },
  evalDraws: { heading: "Evaluation:", paths: ["eval.temperature", "eval.seed"] },
  eval: {
    heading: "Evaluation:",
    paths: ["eval.steps", "eval.validationProblems", "eval.testProblems", "eval.bootstrap"],
  },
  logging: { heading: "Logging:", paths: ["reportTo"] },
  verifier: { heading: "Verifier of a task of one's own:", paths: ["verifier."] },
  /** Of commands that write a run. */
  folder: { heading: "Run folder:", paths: ["outputDir"] },
} as const satisfies Record<string, { heading: string; paths: readonly string[] }>;

export type GroupName = keyof typeof GROUPS;

/** "eval.testProblems" → "--eval.test-problems". */
export function flagFromPath(path: string): string {
  return `--${path.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The settings of a group, in the order of the help text. */
export function fieldsOfGroup(name: GroupName): Field[] {
  return GROUPS[name].paths.flatMap((path) =>
    fields.filter((field) => field.path === path || (path.endsWith(".") && field.path.startsWith(path))),
  );
}

/** Gives a command the flags of some groups, and `--config` and `--preset`. */
export function addConfigFlags(
  command: Command,
  groups: readonly GroupName[],
  presetNames: readonly string[],
): Command {
  command.optionsGroup("Settings:");
  command.option(
    "--config <file>",
    "mulligan.config.ts, .js or .json (default: the one in this folder, if any)",
  );
  command.option("--preset <name>", `a named set of settings: ${presetNames.join(", ")}`);
  for (const group of groups) {
    for (const field of fieldsOfGroup(group)) {
      command.addOption(optionFromField(field).helpGroup(GROUPS[group].heading));
    }
  }
  return command;
}

function optionFromField(field: Field): Option {
  const { path, type, choices, description } = field;
  const value = {
    int: "<int>",
    number: "<number>",
    boolean: "[boolean]",
    string: "<text>",
    enum: "<name>",
    json: "<json>",
  };
  const notes = [
    ...(choices.length > 0 ? [choices.join(" | ")] : []),
    `default: ${type === "string" || type === "enum" ? field.default : JSON.stringify(field.default)}`,
  ];
  // no default for commander: only flags that were given may override the file
  return new Option(`${flagFromPath(path)} ${value[type]}`, `${description} (${notes.join("; ")})`.trim());
}

/** The settings among a command's parsed options: dotted path to text. */
export function flagsFromOptions(options: Readonly<Record<string, unknown>>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const { path } of fields) {
    const value = options[path];
    if (value !== undefined) given[path] = String(value);
  }
  return given;
}

/**
 * Spells settings the one way that commander knows: `--numGenerations`, `--num_generations` (TRL's) and
 * `--no-dynamic-sampling` are accepted too. What is not a setting stays as it is.
 */
export function normalizeFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  const known = new Map(fields.map((field) => [flagFromPath(field.path), field]));
  const normalize = (arg: string): string => {
    const match = /^--([^=]+)(=.*)?$/s.exec(arg);
    if (!match) return arg;
    const [, name, rest = ""] = match as unknown as [string, string, string?];
    const flag = flagFromPath(
      name.replaceAll("_", "-").replace(/^([A-Z])/, (letter) => letter.toLowerCase()),
    );
    if (known.has(flag)) return flag + rest;
    const positive = `--${flag.slice("--no-".length)}`;
    const isNegation = flag.startsWith("--no-") && known.get(positive)?.type === "boolean" && rest === "";
    return isNegation ? `${positive}=false` : arg;
  };
  return argv.map((arg, i) => (end !== -1 && i >= end ? arg : normalize(arg)));
}
