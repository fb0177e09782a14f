/** `mulligan demo`: collect, train, evaluate, table, in minutes. Parses, calls, prints. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { type CliContext, configFromOptions, type Options } from "../context.ts";
import { experiment } from "../experiment.ts";
import { addConfigFlags } from "../flags.ts";

const HELP = `
What happens:
  1. the shipped model attempts Countdown puzzles; its failures are kept
  2. it reflects on each failure, tries again, and only reflections whose retry was right are rewarded
  3. a table compares the model before and after, on problems it has never seen

Defaults are those of --preset mini; the run folder is the next free one of runs/demo-1, runs/demo-2, …

Examples:
  $ mulligan demo
  $ mulligan demo --seed 1 --max-steps 20
`;

export function registerDemo(program: Command, context: CliContext): void {
  const command = program
    .command("demo")
    .summary("the whole method once, in minutes, with the shipped model")
    .description(
      "Collect failures, train on reflections, evaluate, and print the table: the whole method in minutes.",
    );
  const groups = ["model", "run", "collect", "method", "evalDraws", "eval", "logging", "folder"] as const;
  addConfigFlags(command, groups, Object.keys(context.presets))
    .optionsGroup("Run folder:")
    .option("--clean", "remove the run that is in --output-dir first")
    .addHelpText("after", HELP)
    .action(async (options: Options & { clean?: boolean }) => {
      const config = await configFromOptions({ preset: "mini", ...options }, context, { discover: false });
      const outputDir = options.outputDir === undefined ? freshFolder() : config.outputDir;
      await experiment({ ...config, outputDir }, { clean: options.clean ?? false, examples: true }, context);
    });
}

/** runs/demo-1, runs/demo-2, …: the demo never asks what to do with an earlier one. */
function freshFolder(): string {
  let number = 1;
  while (existsSync(`runs/demo-${number}`)) number++;
  return `runs/demo-${number}`;
}
