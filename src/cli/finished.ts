/** `--resume` of a run that is finished: nothing is computed, and no model is loaded to find that out. */
import { verifyCheckpoint } from "../store/checkpoints.ts";
import { inRunFolder } from "../store/folder-claim.ts";
import { requireIntactLogs } from "../store/intact-logs.ts";
import { checkpointAt, runFolderAt } from "../store/run-folder.ts";
import type { MulliganConfig } from "../train/config.ts";
import { isFinished } from "../train/saved-run.ts";
import type { CliContext } from "./context.ts";
import { renderFinished } from "./view/finished-view.ts";

/**
 * Says where everything lies, if there is nothing to do; returns whether it did. Throws what going on would throw: that
 * another process holds the folder, that the checkpoint or a log is damaged.
 */
export async function tellFinished(
  config: MulliganConfig,
  { stdout }: Pick<CliContext, "stdout">,
): Promise<boolean> {
  const { outputDir, maxSteps } = config;
  if (!(await isFinished(runFolderAt(outputDir), config))) return false;
  await inRunFolder(outputDir, { resume: true }, async (folder) => {
    await verifyCheckpoint(checkpointAt(folder, maxSteps));
    await requireIntactLogs(folder, maxSteps);
    stdout.write(renderFinished(folder, maxSteps));
  });
  return true;
}
