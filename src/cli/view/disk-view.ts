/** A run's planned disk against what is free, said before anything is computed where it is too little. */
import { printable } from "../../core/printable.ts";
import type { MulliganConfig } from "../../train/config.ts";
import { type Lack, lackOf, roomFor } from "../../train/disk-room.ts";
import { planWork, type Scope } from "../../train/run-plan.ts";
import type { Prepared } from "../../train/setup.ts";
import type { CliContext } from "../context.ts";

/** Warns where a run may not fit. Throws what planWork throws; where the system does not tell what is free, says nothing. */
export async function warnOfDisk(
  config: MulliganConfig,
  prepared: Pick<Prepared, "model" | "task">,
  scope: Scope,
  { stderr }: Pick<CliContext, "stderr">,
): Promise<void> {
  const { disk } = await planWork(config, prepared, scope);
  const room = await roomFor(config.outputDir, disk).catch(() => undefined);
  const lack = room && lackOf(room, disk);
  if (lack) stderr.write(printable(`${renderLack(lack)}\n`));
}

export const renderLack = ({ rule, advice }: Lack) =>
  `warning: the disk may become full: ${rule}\nhint: ${advice}`;
