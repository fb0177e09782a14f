/** `mulligan eval`: the table of a model, with controls and intervals. Parses, calls, prints. */
import { type Command, Option } from "commander";
import { renderEvaluation } from "../../evaluate/index.ts";
import { evaluate } from "../../train/evaluations.ts";
import { openSetup } from "../../train/setup.ts";
import { type CliContext, checkpointFrom, configFromOptions, type Options } from "../context.ts";
import { addConfigFlags } from "../flags.ts";
import { downloadOptions } from "../view/download-view.ts";
import { createExperimentView } from "../view/experiment-view.ts";
import { closeSetup } from "../view/profile-view.ts";

const HELP = `
Examples:
  $ mulligan eval --preset mini                              the model as it is shipped
  $ mulligan eval --checkpoint runs/first                    the newest checkpoint of a run
  $ mulligan eval --checkpoint runs/first/checkpoint-20 --split validation
`;

export function registerEval(program: Command, context: CliContext): void {
  const command = program
    .command("eval")
    .summary("measure first try, rescue and controls, with 95 % intervals")
    .description(
      "Measure how often the first try is right, how often the second one rescues it, and the controls.",
    );
  const groups = ["model", "run", "lengths", "evalDraws", "eval", "verifier"] as const;
  addConfigFlags(command, groups, Object.keys(context.presets))
    .optionsGroup("What to evaluate:")
    .option(
      "--checkpoint <folder>",
      "a run folder (its newest checkpoint), one checkpoint, or run/best (default: --model itself)",
    )
    .addOption(
      new Option("--split <name>", "problems to use").choices(["validation", "test"]).default("test"),
    )
    .addHelpText("after", HELP)
    .action(async (options: Options & { split: "validation" | "test" }) => {
      const config = await configFromOptions(options, context);
      const setup = await openSetup(config, {
        ...(await checkpointFrom(options)),
        splits: [options.split],
        ...downloadOptions(context),
      });
      const view = createExperimentView(context.stderr, 0);
      try {
        const evaluation = await evaluate(setup, setup.problems[options.split], {
          controls: true,
          signal: context.signal,
          onProgress: (progress) => view.show({ type: "evaluating", ...progress }),
        });
        view.end();
        context.stdout.write(`${renderEvaluation(evaluation, config.eval)}\n`);
      } finally {
        view.end();
        await closeSetup(setup, context.stderr);
      }
    });
}
