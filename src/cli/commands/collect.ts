/** `mulligan collect`: stage 1 of the method, failed attempts as a file. Parses, calls, prints. */
import type { Command } from "commander";
import { isStop } from "../../core/errors.ts";
import type { CollectSummary } from "../../evaluate/collect-summary.ts";
import { inRunFolder } from "../../store/folder-claim.ts";
import type { RunFolderOptions } from "../../store/run-folder.ts";
import { collectRun } from "../../train/collect-run.ts";
import { requireOwnSettings } from "../../train/go-back.ts";
import { readRunJson } from "../../train/saved-run.ts";
import { openSetup } from "../../train/setup.ts";
import { type CliContext, configFromOptions, type Options } from "../context.ts";
import { howToContinue, warnOfChanges } from "../experiment.ts";
import { addConfigFlags } from "../flags.ts";
import { renderCollectSummary } from "../view/collect-summary.ts";
import { warnOfDisk } from "../view/disk-view.ts";
import { downloadOptions } from "../view/download-view.ts";
import { createExperimentView } from "../view/experiment-view.ts";
import { dryRun } from "../view/plan-view.ts";
import { closeSetup } from "../view/profile-view.ts";

const HELP = `
Writes failures.jsonl into the run folder, one distinct failed attempt a line with its exact tokens, and what was
found in numbers into collect.json.

Examples:
  $ mulligan collect --preset mini --output-dir runs/failures
  $ mulligan collect --preset mini --collect.tries 64 --collect.max-failures-per-problem 4 --output-dir runs/hard
  $ mulligan collect --output-dir runs/hard --resume        continue after Ctrl-C, or after it was killed
  $ mulligan train --preset mini --failures runs/failures/failures.jsonl --output-dir runs/first
`;

export function registerCollect(program: Command, context: CliContext): void {
  const command = program
    .command("collect")
    .summary("let the model attempt problems and keep its failures")
    .description(
      "Let the model attempt the training problems and keep every distinct failed attempt (stage 1 of the method).",
    );
  const groups = ["model", "run", "collect", "lengths", "sampling", "verifier", "folder"] as const;
  addConfigFlags(command, groups, Object.keys(context.presets))
    .optionsGroup("Run folder:")
    .option("--resume", "continue the collection in --output-dir where it stopped")
    .option("--clean", "remove the run that is in --output-dir first")
    .option("--dry-run", "print the resolved settings and the plan of the collection, and stop")
    .addHelpText("after", HELP)
    .action(async (options: Options & RunFolderOptions & { dryRun?: boolean }) => {
      const config = await configFromOptions(options, context);
      const { resume = false, clean = false } = options;
      if (options.dryRun) return dryRun(config, "collect", { resume, clean }, context);
      const setup = await openSetup(config, { splits: ["train"], ...downloadOptions(context) });
      const { signal, stdout, stderr } = context;
      const view = createExperimentView(stderr, 0);
      try {
        await warnOfDisk(config, setup, "collect", { stderr });
        await inRunFolder(config.outputDir, { resume, clean }, async (folder) => {
          if (resume) {
            await requireOwnSettings(folder, setup.config);
            await warnOfChanges(setup, folder, stderr);
          }
          await collectRun(setup, { folder, signal, onEvent: view.show, resume });
          view.end();
          stdout.write(renderCollectSummary((await readRunJson(folder.summary)) as CollectSummary));
          stdout.write(`${folder.failures}\n`);
        });
      } catch (error) {
        view.end();
        if (!isStop(error, signal)) throw error;
        stderr.write(howToContinue("collect", config));
      } finally {
        view.end();
        await closeSetup(setup, stderr);
      }
    });
}
