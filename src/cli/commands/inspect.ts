/** `mulligan inspect`: episodes of a run's training in the terminal. Parses, calls, prints. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { printableJson } from "../../core/printable.ts";
import {
  type Damage,
  EPISODE_OUTCOMES,
  type EpisodeChoice,
  missingLines,
  type TracedEpisode,
  tallyEpisodes,
  tracedEpisodes,
} from "../../report/index.ts";
import { type RunFolder, runFolderAt } from "../../store/run-folder.ts";
import { type CliContext, positiveInteger } from "../context.ts";
import { renderDamages } from "../view/damage-view.ts";
import { renderNoEpisodes } from "../view/no-episodes-view.ts";
import { renderTraced } from "../view/traced-view.ts";

const HELP = `
Examples:
  $ mulligan inspect runs/first
  $ mulligan inspect runs/first --step 40 --outcome rescued --limit 20
  $ mulligan inspect runs/first --outcome leak --json | jq .episode.reflection.text
`;

interface InspectOptions extends EpisodeChoice {
  limit: number;
  json?: true;
}

export function registerInspect(program: Command, context: CliContext): void {
  program
    .command("inspect")
    .summary("show the episodes that a run trained on")
    .description(
      "Show what a run trained on: the task, the failed attempt, each reflection with its advantage, the retry and its verdict.",
    )
    .argument("<run>", "folder of a run")
    .addOption(new Option("--step <int>", "only of this step").argParser(positiveInteger("step")))
    .addOption(new Option("--outcome <name>", "only of this kind").choices(EPISODE_OUTCOMES))
    .addOption(
      new Option("--limit <int>", "most episodes to show").argParser(positiveInteger("limit")).default(5),
    )
    .option("--json", "one JSON object a line, with every token")
    .addHelpText("after", HELP)
    .action((run: string, options: InspectOptions) => inspect(run, options, context));
}

async function inspect(
  run: string,
  { limit, json, ...choice }: InspectOptions,
  { stdout, stderr, folder: current, signal }: CliContext,
): Promise<void> {
  const folder = runFolderAt(resolve(current, run));
  const isColoured = stdout.isTTY === true && !process.env.NO_COLOR;
  const damages: Damage[] = [];
  let shown = 0;
  for await (const traced of tracedEpisodes(folder, choice, (damage) => damages.push(damage))) {
    if (signal.aborted) return;
    if (shown === limit) {
      stderr.write(`there are more; --limit ${2 * limit} shows twice as many\n`);
      break;
    }
    shown++;
    stdout.write(json ? jsonLine(traced) : `${shown > 1 ? "\n" : ""}${renderTraced(traced, isColoured)}\n`);
  }
  if (shown === 0) stderr.write(await describeNone(folder, choice));
  stderr.write(renderDamages([...(await missingLines(folder)), ...damages]));
}

/** Which episodes there are where none was asked for. */
async function describeNone(folder: RunFolder, choice: EpisodeChoice): Promise<string> {
  const all = await tallyEpisodes(folder);
  const ofStep = choice.step === undefined ? all : await tallyEpisodes(folder, { step: choice.step });
  return renderNoEpisodes(choice, { ofStep, all });
}

function jsonLine({ trace, member }: TracedEpisode): string {
  const episode = trace.kind === "reflections" ? trace.episodes[member] : trace.attempts[member];
  return `${printableJson({ ...trace, episodes: undefined, attempts: undefined, episode })}\n`;
}
