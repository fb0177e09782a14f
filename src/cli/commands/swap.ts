/** `mulligan swap`: whose doing is a run's gain, the reflections' or the retries'? Parses, calls, prints. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { renderSwap } from "../../evaluate/index.ts";
import { runFolderAt } from "../../store/run-folder.ts";
import { swapRun } from "../../train/swap.ts";
import type { CliContext } from "../context.ts";
import { createExperimentView } from "../view/experiment-view.ts";

const HELP = `
Example:
  $ mulligan swap runs/first     the rescue of each model after the other's reflections; also in runs/first/swap.json
`;

export function registerSwap(program: Command, context: CliContext): void {
  program
    .command("swap")
    .summary("whose doing is a run's gain: the reflections' or the retries'?")
    .description(
      "Let the starting and the trained model of a finished run retry after each other's reflections on the same failures.",
    )
    .argument("<run>", "folder of a finished run")
    .addHelpText("after", HELP)
    .action(async (run: string) => {
      const view = createExperimentView(context.stderr, 0);
      try {
        const cells = await swapRun(runFolderAt(resolve(context.folder, run)), {
          signal: context.signal,
          onProgress: (progress) => view.show({ type: "evaluating", ...progress }),
        });
        view.end();
        context.stdout.write(`${renderSwap(cells)}\n`);
      } finally {
        view.end();
      }
    });
}
