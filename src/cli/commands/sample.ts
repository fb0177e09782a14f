/** `mulligan sample`: episodes that a person can read. Parses, calls, prints. */
import { type Command, Option } from "commander";
import type { Split } from "../../core/task.ts";
import { renderEpisodes } from "../../evaluate/index.ts";
import { evaluate } from "../../train/evaluations.ts";
import { openSetup } from "../../train/setup.ts";
import {
  type CliContext,
  checkpointFrom,
  configFromOptions,
  type Options,
  positiveInteger,
} from "../context.ts";
import { addConfigFlags } from "../flags.ts";
import { downloadOptions } from "../view/download-view.ts";
import { closeSetup } from "../view/profile-view.ts";

/** Problems to attempt for each episode asked for: an episode needs a failure. */
const PROBLEMS_PER_EPISODE = 10;

const HELP = `
Examples:
  $ mulligan sample --preset mini --count 5
  $ mulligan sample --checkpoint runs/first
`;

export function registerSample(program: Command, context: CliContext): void {
  const command = program
    .command("sample")
    .summary("show attempts, reflections and retries")
    .description(
      "Show episodes: the problem, the failed attempt, the reflection, the retry, and the verdicts.",
    );
  addConfigFlags(command, ["model", "run", "lengths", "evalDraws", "verifier"], Object.keys(context.presets))
    .optionsGroup("What to show:")
    .addOption(new Option("--count <int>", "episodes to show").argParser(positiveInteger("count")).default(3))
    .option(
      "--checkpoint <folder>",
      "a run folder (its newest checkpoint), one checkpoint, or run/best (default: --model itself)",
    )
    .addOption(
      new Option("--split <name>", "problems to use")
        .choices(["train", "validation", "test"])
        .default("test"),
    )
    .addHelpText("after", HELP)
    .action(async (options: Options & { split: Split; count: number }) => {
      const config = await configFromOptions(options, context);
      const setup = await openSetup(config, {
        ...(await checkpointFrom(options)),
        splits: [options.split],
        ...downloadOptions(context),
      });
      try {
        const problems = setup.problems[options.split].slice(0, PROBLEMS_PER_EPISODE * options.count);
        const { failures } = await evaluate(setup, problems, { controls: false, signal: context.signal });
        const episodes = renderEpisodes(failures.slice(0, options.count), setup.task, problems);
        context.stdout.write(
          `${episodes || `no failed attempt among ${problems.length}: nothing to reflect on`}\n`,
        );
      } finally {
        await closeSetup(setup, context.stderr);
      }
    });
}
