/** What `demo` and `train` share: a whole run with its progress, and what it found. */
import { renderExamples, renderReport } from "../evaluate/index.ts";
import { createRunFolder, type RunFolderOptions } from "../store/run-folder.ts";
import type { MulliganConfig } from "../train/config.ts";
import { runExperiment } from "../train/experiment.ts";
import { openSetup, problemsOf } from "../train/setup.ts";
import type { CliContext } from "./context.ts";
import { createExperimentView } from "./experiment-view.ts";

export interface ExperimentCommand extends RunFolderOptions {
  failures?: string;
  /** Also print three episodes that a person can read. */
  examples?: boolean;
}

export async function experiment(
  config: MulliganConfig,
  { failures, examples, ...folderOptions }: ExperimentCommand,
  { stdout, stderr, signal }: CliContext,
): Promise<void> {
  const folder = await createRunFolder(config.outputDir, folderOptions);
  const continueWith = `mulligan train --output-dir ${config.outputDir} --resume`;
  const setup = await openSetup(config);
  const view = createExperimentView(stderr, config.maxSteps);
  try {
    const results = await runExperiment(setup, {
      folder,
      signal,
      onEvent: view.show,
      ...(folderOptions.resume && { resume: true }),
      ...(failures !== undefined && { failuresFile: failures }),
    });
    view.end();
    if (!results) {
      stderr.write(`stopped; continue with: ${continueWith}\n`);
      return;
    }
    stdout.write(`\n${renderReport(results.comparison)}\n`);
    if (examples) {
      const problems = await problemsOf(setup.task, "test", config.eval.testProblems);
      stdout.write(`\n${renderExamples(results.examples, setup.task, problems)}\n`);
    }
    stdout.write(`\nEverything lies in ${folder.dir}\n`);
    stdout.write(`The trained model, for transformers and others: ${folder.model}\n`);
  } catch (error) {
    view.end();
    if (signal.aborted && error === signal.reason) stderr.write(`stopped; continue with: ${continueWith}\n`);
    throw error;
  } finally {
    await setup.close();
  }
}
