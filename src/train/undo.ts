/**
 * Takes back an update of several iterations, of which one failed after others had changed the weights. The state before it
 * waits in a folder, by the engine's own saveState: memory is what a run has least of.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolder, remove } from "../core/disk.ts";
import type { Engine } from "../engine/contract.ts";
import type { RunFolder } from "../store/run-folder.ts";
import type { Updated } from "./update.ts";

export interface Undo {
  /** Does an update; afterwards weights and optimiser are as before when it met numbers that are not finite. */
  unlessGood(update: () => Promise<Updated>): Promise<Updated>;
}

/** Keeps the state in the run's folder; without one, in the system's temporary one. */
export function createUndo(engine: Pick<Engine, "saveState" | "loadState">, folder?: RunFolder): Undo {
  return {
    async unlessGood(update) {
      const dir = folder?.beforeStep ?? (await mkdtemp(join(tmpdir(), "mulligan-")));
      const state = join(dir, "state");
      try {
        await remove(dir); // of a run that was killed
        await makeFolder(state);
        await engine.saveState(state);
        const updated = await update();
        if (updated.nonFinite) await engine.loadState(state);
        return updated;
      } finally {
        await remove(dir);
      }
    },
  };
}
