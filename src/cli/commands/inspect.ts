/** `mulligan inspect`: episodes of a run's training in the terminal. Parses, calls, prints. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { MulliganError } from "../../core/errors.ts";
import { printableJson } from "../../core/printable.ts";
import {
  EPISODE_OUTCOMES,
  type EpisodeOutcome,
  type TracedEpisode,
  tracedEpisodes,
} from "../../report/index.ts";
import { runFolderAt } from "../../store/run-folder.ts";
import { type CliContext, positiveInteger } from "../context.ts";
import { renderTraced } from "../view/traced-view.ts";

const HELP = `
Examples:
  $ mulligan inspect runs/first
  $ mulligan inspect runs/first --step 40 --outcome rescued --limit 20
  $ mulligan inspect runs/first --outcome leak --json | jq .episode.reflection.text
`;

interface InspectOptions {
  step?: number;
  outcome?: EpisodeOutcome;
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
  { limit, json, ...which }: InspectOptions,
  { stdout, stderr, folder, signal }: CliContext,
): Promise<void> {
  const isColoured = stdout.isTTY === true && !process.env.NO_COLOR;
  let shown = 0;
  for await (const traced of tracedEpisodes(runFolderAt(resolve(folder, run)), which)) {
    if (signal.aborted) return;
    if (shown === limit) {
      stderr.write(`there are more; --limit ${2 * limit} shows twice as many\n`);
      return;
    }
    shown++;
    stdout.write(json ? jsonLine(traced) : `${shown > 1 ? "\n" : ""}${renderTraced(traced, isColoured)}\n`);
  }
  if (shown > 0) return;
  throw new MulliganError("data", `${run}: holds no such episode`, {
    hint: "leave out --step or --outcome; metrics.jsonl tells which steps there are",
  });
}

function jsonLine({ trace, member }: TracedEpisode): string {
  const episode = trace.kind === "reflections" ? trace.episodes[member] : trace.attempts[member];
  return `${printableJson({ ...trace, episodes: undefined, attempts: undefined, episode })}\n`;
}
