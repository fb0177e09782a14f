/** `mulligan report`: the page of a run, made again from its folder. Parses, calls, prints. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { type Damage, loadTokenizer, type ReportTokenizer, writeReport } from "../../report/index.ts";
import { type RunFolder, runFolderAt } from "../../store/run-folder.ts";
import { readRunConfig } from "../../train/saved-run.ts";
import { findModel } from "../../train/setup.ts";
import type { CliContext } from "../context.ts";
import { renderDamages } from "../view/damage-view.ts";

const HELP = `
A run leaves its report by itself, also when it is stopped. Make it again after \`mulligan swap\` or \`mulligan transfer\`,
or while a run is under way.

Example:
  $ mulligan report runs/first     writes runs/first/report.html
`;

export function registerReport(program: Command, context: CliContext): void {
  program
    .command("report")
    .summary("draw a run as a page: curves, tables, episodes")
    .description("Write report.html into a run's folder: one file that any browser shows, without a network.")
    .argument("<run>", "folder of a run")
    .addHelpText("after", HELP)
    .action(async (run: string) => {
      const folder = runFolderAt(resolve(context.folder, run));
      const damages: Damage[] = [];
      const path = await writeReport(folder.dir, {
        tokenizer: await tokenizerOf(folder),
        onDamaged: (damage) => damages.push(damage),
      });
      context.stdout.write(`${path}\n`);
      context.stderr.write(renderDamages(damages));
    });
}

/** Of the trained model, else of the model that the run began with, if it is on this machine. */
async function tokenizerOf(folder: RunFolder): Promise<ReportTokenizer | undefined> {
  try {
    if (existsSync(folder.model)) return await loadTokenizer(folder.model);
    const { model } = await readRunConfig(folder);
    const found = await findModel(model, { env: { ...process.env, HF_HUB_OFFLINE: "1" } });
    return await loadTokenizer(found.folder);
  } catch {
    return undefined; // the page says that it shows no tokens
  }
}
