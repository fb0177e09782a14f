/** `mulligan collect`: stage 1 of the method, failed attempts as a file. Parses, calls, prints. */
import type { Command } from "commander";
import { createRunFolder } from "../store/run-folder.ts";
import { collectRun } from "../train/experiment.ts";
import { openSetup } from "../train/setup.ts";
import { type CliContext, configFromOptions, type Options } from "./context.ts";
import { downloadOptions } from "./download-view.ts";
import { createExperimentView } from "./experiment-view.ts";
import { addConfigFlags } from "./flags.ts";
import { closeSetup } from "./profile-view.ts";

const HELP = `
Writes failures.jsonl into the run folder: one failed attempt a line, with its exact tokens.

Examples:
  $ mulligan collect --preset mini --output-dir runs/failures
  $ mulligan train --preset mini --failures runs/failures/failures.jsonl --output-dir runs/first
`;

export function registerCollect(program: Command, context: CliContext): void {
  const command = program
    .command("collect")
    .summary("let the model attempt problems and keep its failures")
    .description(
      "Let the model attempt the training problems and keep every failed attempt (stage 1 of the method).",
    );
  addConfigFlags(command, ["run", "collect", "sampling", "verifier"], Object.keys(context.presets))
    .optionsGroup("Run folder:")
    .option("--clean", "remove the run that is in --output-dir first")
    .addHelpText("after", HELP)
    .action(async (options: Options & { clean?: boolean }) => {
      const config = await configFromOptions(options, context);
      const setup = await openSetup(config, { splits: ["train"], ...downloadOptions(context) });
      const view = createExperimentView(context.stderr, 0);
      try {
        const folder = await createRunFolder(config.outputDir, { clean: options.clean ?? false });
        await collectRun(setup, { folder, signal: context.signal, onEvent: view.show });
        context.stdout.write(`${folder.failures}\n`);
      } finally {
        view.end();
        await closeSetup(setup, context.stderr);
      }
    });
}
