/** What `demo` and `train` share: a whole run with its progress, and what it found. */
import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { isStop, MulliganError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import { shellWord } from "../core/shell.ts";
import { renderExamples, renderReport } from "../evaluate/index.ts";
import { changesSince, readStarts } from "../store/environment.ts";
import { type FailureSet, loadFailures } from "../store/failures.ts";
import { inRunFolder } from "../store/folder-claim.ts";
import { type RunFolder, type RunFolderOptions, runFolderAt } from "../store/run-folder.ts";
import type { MulliganConfig } from "../train/config.ts";
import { type Results, runExperiment } from "../train/experiment.ts";
import { type Fork, findFork, requireForkable } from "../train/fork.ts";
import { tryLargest } from "../train/memory.ts";
import { describeSampling, originOf, requireSameSource } from "../train/origin.ts";
import { requireLearner, requireLoggers } from "../train/preflight.ts";
import { prepareSetup, type Setup, startSetup } from "../train/setup.ts";
import { describeStart } from "../train/start.ts";
import type { CliContext } from "./context.ts";
import { leaveReport } from "./leave-report.ts";
import { warnOfDisk } from "./view/disk-view.ts";
import { downloadOptions } from "./view/download-view.ts";
import { createExperimentView } from "./view/experiment-view.ts";
import { renderProducts } from "./view/finished-view.ts";
import { checkMemory } from "./view/memory-view.ts";
import { closeSetup } from "./view/profile-view.ts";
import { listWarnings } from "./view/warnings-view.ts";

export interface ExperimentCommand extends RunFolderOptions {
  /** Path of a failures.jsonl. */
  failures?: string;
  /** Use it even when another model, tokenizer or task made it. */
  allowMismatch?: boolean;
  /** Another run or one of its checkpoints to start from. */
  fork?: string;
  /** With `resume`: an older checkpoint to go on from. */
  from?: string;
  /** Also print three episodes that a person can read. */
  examples?: boolean;
}

/** Throws what the stages throw; a run that is stopped says how to go on, and is no error. */
export async function experiment(
  config: MulliganConfig,
  command: ExperimentCommand,
  { stdout, stderr, signal }: CliContext,
): Promise<void> {
  const { resume = false, clean = false, from } = command;
  requireLearner(config);
  requireLoggers(config);
  const fork = await forkFor(config, command);
  const source = command.failures ?? fork?.run.failures;
  const failures = source === undefined ? undefined : await loadFailures(source);
  const prepared = await prepareSetup(config, downloadOptions({ stderr, signal }));
  const plan = async () => {
    await warnOfDisk(config, prepared, failures ? "train" : "run", { stderr });
    return checkMemory(config, prepared, { stderr });
  };
  const memory = await plan().catch(async (error) => {
    await prepared.close();
    throw error;
  });
  const setup = await startSetup(config, prepared);
  const view = createExperimentView(stderr, config.maxSteps);
  /** The run's folder once something happened in it: a run that is refused has nothing to tell. */
  let begun: RunFolder | undefined;
  try {
    if (failures) await warnOfSource(failures, setup, command, stderr);
    // only now: had something of the above been wrong, --clean would have removed a run for nothing
    await inRunFolder(config.outputDir, { resume, clean }, async (folder) => {
      const before = resume ? folder : fork?.run;
      if (before) await warnOfChanges(setup, before, stderr);
      await tryLargest(setup.policy.engine, memory.largest);
      const results = await runExperiment(setup, {
        folder,
        signal,
        onEvent(event) {
          begun = folder;
          view.show(event);
        },
        ...(resume && { resume, ...(from !== undefined && { from }) }),
        ...(failures && { failures }),
        ...(fork && { fork }),
      })
        .catch((error) => {
          if (!isStop(error, signal)) throw error;
          return undefined;
        })
        .finally(() => {
          view.end();
          return begun && leaveReport(folder, setup.policy.chat.tokenizer, stderr);
        });
      if (results) tellResults(results, setup, folder, command, stdout);
      else stderr.write(howToContinue("train", config));
    });
  } finally {
    view.end();
    if (begun) await listWarnings(begun, stderr);
    await closeSetup(setup, stderr);
  }
}

async function forkFor(config: MulliganConfig, { fork: name }: ExperimentCommand): Promise<Fork | undefined> {
  if (name === undefined) return undefined;
  const fork = await findFork(name);
  requireOwnFolder(config, fork);
  await requireForkable(fork, config);
  return fork;
}

/** A run that is forked stays as it is, also when its folder is to be cleaned. */
function requireOwnFolder({ outputDir }: MulliganConfig, { run }: Fork): void {
  const real = (dir: string) => (existsSync(dir) ? realpathSync(dir) : resolve(dir));
  if (real(outputDir) !== real(run.dir)) return;
  throw new MulliganError(
    "config",
    `fork: must go into a folder of its own, got that of the run, "${outputDir}"`,
    {
      hint: "name a new one with --output-dir; --resume goes on in the run's own folder",
    },
  );
}

/** Says in what the failures come from another sampling. Throws `MulliganError("config")` when they are not this model's or task's. */
async function warnOfSource(
  { header }: FailureSet,
  setup: Setup,
  { allowMismatch = false }: ExperimentCommand,
  stderr: CliContext["stderr"],
): Promise<void> {
  const check = allowMismatch ? describeSampling : requireSameSource;
  for (const difference of check(header, await originOf(setup))) stderr.write(`warning: ${difference}\n`);
}

function tellResults(
  { comparison, examples }: Results,
  { task, problems }: Setup,
  folder: RunFolder,
  command: ExperimentCommand,
  stdout: CliContext["stdout"],
): void {
  stdout.write(`\n${renderReport(comparison)}\n`);
  if (command.examples) stdout.write(`\n${renderExamples(examples, task, problems.test)}\n`);
  stdout.write(`\nEverything lies in ${folder.dir}\n${renderProducts(folder)}`);
}

/** Says how a run goes on otherwise than it was last computed. */
export async function warnOfChanges(
  setup: Setup,
  folder: RunFolder,
  stderr: CliContext["stderr"],
): Promise<void> {
  const last = (await readStarts(folder)).at(-1);
  if (!last) return;
  for (const change of changesSince(last, await describeStart(setup))) {
    stderr.write(printable(`warning: ${change}\n`));
  }
}

/** What to tell who stopped a command: how to go on, quoted for a shell where it must be. */
export function howToContinue(command: "collect" | "train", { outputDir }: MulliganConfig): string {
  if (!existsSync(runFolderAt(outputDir).config)) return "stopped; nothing was kept yet\n";
  return `stopped; continue with: mulligan ${command} --output-dir ${shellWord(outputDir)} --resume\n`;
}
