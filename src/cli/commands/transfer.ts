/** `mulligan transfer`: what a run changed on tasks that it did not train. Parses, calls, prints. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { renderTransfer } from "../../evaluate/index.ts";
import { runFolderAt } from "../../store/run-folder.ts";
import { MINI_TASKS, otherTasksFrom, transferRun } from "../../train/transfer.ts";
import { type CliContext, positiveInteger } from "../context.ts";
import { createExperimentView } from "../view/experiment-view.ts";

const HELP = `
A loss is forgetting, a gain is transfer. Both models attempt the same test problems with the same draws.

Examples:
  $ mulligan transfer runs/first                           the tasks that the shipped model knows
  $ mulligan transfer runs/mine --tasks tool-calling,./other-task.ts
  $ mulligan transfer runs/mine --tasks '[{"task": "gsm8k", "taskOptions": {"source": {"test": "gsm8k/test.jsonl"}}}]'
`;

export function registerTransfer(program: Command, context: CliContext): void {
  program
    .command("transfer")
    .summary("first tries on other tasks, before and after: forgetting and transfer")
    .description(
      "Let the starting and the trained model of a finished run attempt tasks that the run did not train.",
    )
    .argument("<run>", "folder of a finished run")
    .option(
      "--tasks <list>",
      "names or task files with commas, or a JSON list (default: the shipped model's tasks)",
    )
    .addOption(
      new Option("--problems <int>", "test problems of each task")
        .argParser(positiveInteger("problems"))
        .default(500),
    )
    .addHelpText("after", HELP)
    .action(async (run: string, { tasks, problems }: { tasks?: string; problems: number }) => {
      const view = createExperimentView(context.stderr, 0);
      try {
        const others = tasks === undefined ? MINI_TASKS : otherTasksFrom(tasks);
        const rows = await transferRun(runFolderAt(resolve(context.folder, run)), others, {
          problems,
          signal: context.signal,
          onProgress: (progress) => view.show({ type: "evaluating", ...progress }),
        });
        view.end();
        context.stdout.write(`${renderTransfer(rows)}\n`);
      } finally {
        view.end();
      }
    });
}
