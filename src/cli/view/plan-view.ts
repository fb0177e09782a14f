/** What a dry run shows beside the settings: where the run would lie, what it would do, and what that takes. */
import { MulliganError } from "../../core/errors.ts";
import { freeMemory } from "../../core/free-memory.ts";
import { printable, printableJson } from "../../core/printable.ts";
import { type RunFolderOptions, requireUsable } from "../../store/run-folder.ts";
import type { MulliganConfig } from "../../train/config.ts";
import { lackOf, roomFor } from "../../train/disk-room.ts";
import { planRun, requireMemory, withoutTraining } from "../../train/memory.ts";
import { planWork, type RunWork, type Scope } from "../../train/run-plan.ts";
import { type Prepared, prepareSetup } from "../../train/setup.ts";
import type { CliContext } from "../context.ts";
import { renderLack } from "./disk-view.ts";
import { renderPlan, renderUse } from "./memory-view.ts";

/** Shows the settings and the plan, and why there is none where there is none; fetches, loads and writes nothing. */
export async function dryRun(
  config: MulliganConfig,
  scope: Scope,
  folder: RunFolderOptions,
  { stdout, stderr, signal }: Pick<CliContext, "stdout" | "stderr" | "signal">,
): Promise<void> {
  stdout.write(`${printableJson(config, 2)}\n`);
  const show = (text: string) => stderr.write(printable(`${text}\n`));
  const orWhyNot = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof MulliganError)) throw error;
      show(error.hint ? `${error.message}\nhint: ${error.hint}` : error.message);
    }
  };
  await orWhyNot(async () => {
    await requireUsable(config.outputDir, folder);
    show(`run folder: ${config.outputDir}, ${stateOf(folder)}`);
  });
  await orWhyNot(async () => {
    const env = { ...process.env, HF_HUB_OFFLINE: "1" };
    const prepared = await prepareSetup(config, { splits: ["train"], signal, env });
    try {
      await showPlans(config, scope, prepared, show);
    } finally {
      await prepared.close();
    }
  });
}

const stateOf = ({ resume, clean }: RunFolderOptions) =>
  resume
    ? "whose run would go on"
    : clean
      ? "of which a run that is there would be removed"
      : "free for a new run";

async function showPlans(
  config: MulliganConfig,
  scope: Scope,
  prepared: Prepared,
  show: (text: string) => void,
): Promise<void> {
  const work = await planWork(config, prepared, scope);
  show(renderWork(work));
  const room = await roomFor(config.outputDir, work.disk);
  show(renderUse("disk", room.needed, room.free, work.disk));
  const lack = lackOf(room, work.disk);
  if (lack) show(renderLack(lack));
  const { plan, ...memory } = await planRun(config, prepared);
  const free = freeMemory();
  show(renderPlan(scope === "collect" ? withoutTraining(plan) : plan, free));
  if (scope !== "collect") requireMemory({ plan, ...memory }, free, config);
}

/** The model's size, and a line for each stage. */
export function renderWork({ sizes: { all, trained }, stages }: RunWork): string {
  const millions = (parameters: number) => `${(parameters / 1e6).toPrecision(3)} M`;
  const learns = trained === all ? "all of which learn" : `${millions(trained)} more learn`;
  const tokens = stages.map((stage) => stage.tokens.toLocaleString("en-US"));
  const width = (texts: readonly string[]) => Math.max(...texts.map(({ length }) => length));
  const [names, works] = [width(stages.map(({ name }) => name)), width(stages.map(({ work }) => work))];
  return [
    `model: ${millions(all)} parameters, ${learns}`,
    "tokens sampled at the most:",
    ...stages.map(
      ({ name, work }, i) =>
        `${name.padStart(Math.max(10, names))}  ${work.padEnd(works)}  ${tokens[i]!.padStart(width(tokens))}`,
    ),
  ].join("\n");
}
