/** `mulligan check-task`: tries a task's verifier on right answers and on junk. Parses, calls, prints. */

import { type Command, Option } from "commander";
import { MulliganError } from "../../core/errors.ts";
import { excerpt, printable } from "../../core/printable.ts";
import {
  checkTask,
  goldsOf,
  isSound,
  mistakesOf,
  type Probe,
  type TaskCheck,
} from "../../tasks/check-task.ts";
import { openTask } from "../../tasks/open-task.ts";
import { type CliContext, configFromOptions, type Options, positiveInteger } from "../context.ts";
import { addConfigFlags } from "../flags.ts";
import { downloadOptions } from "../view/download-view.ts";

const HELP = `
Gold answers come from the task's answer(row), or from the column "answer". They must pass; junk must fail: nothing, random
text, the prompt itself, other rows' gold answers. The exit code is 1 when one does not, or cannot be judged.

Examples:
  $ mulligan check-task task.ts
  $ mulligan check-task task.ts --rows 1000 --verifier.timeout-ms 2000
`;

export function registerCheckTask(program: Command, context: CliContext): void {
  const command = program
    .command("check-task")
    .summary("try a task's verifier on right answers and on junk")
    .description("Load a task, show what it asks, and try its verifier on right answers and on junk.")
    .argument("<task>", "a TypeScript file that exports a task, or a built-in task");
  addConfigFlags(command, ["verifier"], Object.keys(context.presets))
    .optionsGroup("What to try:")
    .option("--task-options <json>", "options of a built-in task")
    .addOption(
      new Option("--rows <int>", "most rows to try, spaced over all splits")
        .argParser(positiveInteger("rows"))
        .default(50),
    )
    .addHelpText("after", HELP)
    .action(async (name: string, options: Options & { rows: number }) => {
      const config = await configFromOptions(options, context);
      const isConfigured = config.task === name || options.taskOptions !== undefined;
      const taskOptions = isConfigured ? config.taskOptions : {};
      const { onHubEvent: onEvent, signal } = downloadOptions(context);
      const hub = { onEvent, signal, revisions: config.datasetRevisions };
      const { task, close } = await openTask(name, { taskOptions, hub, verifier: config.verifier });
      try {
        const check = await checkTask(task, {
          rows: options.rows,
          workers: config.verifier.workers,
          signal: context.signal,
        });
        context.stdout.write(printable(`${renderCheck(check)}\n`));
        if (!isSound(check)) throw unsound(check);
      } finally {
        await close();
      }
    });
}

function unsound(check: TaskCheck): MulliganError {
  return new MulliganError("task", `task "${check.name}": ${mistakesOf(check).join("; ")}`, {
    hint: "a run would learn from these verdicts: correct verify, or the answers, and check again",
  });
}

function renderCheck(check: TaskCheck): string {
  const { name, problems, example, probes, changed, milliseconds } = check;
  const { train, validation, test } = problems;
  return [
    `task ${name}: ${train} rows to train on, ${validation} for validation, ${test} for the test`,
    "",
    `problem ${example.id}`,
    ...example.prompt.split("\n").map((line) => `   ${line}`),
    "",
    ...tableOf(probes),
    "",
    ...probes.flatMap(surprisesOf),
    ...(goldsOf(check) > 0
      ? []
      : ["no gold answers: give the task answer(row), or the rows a column answer, to try them too"]),
    ...(changed > 0 ? [`${changed} answers were judged twice and got another verdict`] : []),
    `a verdict takes ${milliseconds.median.toFixed(1)} ms (median), ${milliseconds.most.toFixed(1)} ms at most`,
  ].join("\n");
}

function tableOf(probes: readonly Probe[]): string[] {
  const header = ["answer", "must", "passes", "fails", "unscored"];
  const rows = probes.map(({ name, expected, solved, failed, unscored }) => {
    const must = { solved: "pass", failed: "fail", either: "" }[expected];
    return [name, must, String(solved), String(failed), String(unscored)];
  });
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  return [header, ...rows].map(line);
}

function surprisesOf({ name, surprises }: Probe): string[] {
  return surprises.map(({ problemId, answer, verdict }) => {
    const reason =
      verdict.kind === "failed" ? verdict.feedback : verdict.kind === "unscored" ? verdict.cause : "";
    return `! ${name}, problem ${problemId}: ${excerpt(answer)} is ${verdict.kind}${reason && `: ${reason}`}`;
  });
}
