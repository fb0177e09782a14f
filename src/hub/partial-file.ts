/**
 * Files that are still arriving. Each belongs to one process, so that two that fetch the same model do not write into one
 * file; what a process left when it ended is taken over by the next one.
 */
import { readdir, rename, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { isRunning } from "../core/process-identity.ts";

/** Where this process may write what arrives for `path`, holding what an ended process left. Throws as readdir does. */
export async function claimPartial(path: string): Promise<string> {
  const folder = dirname(path);
  // the host too: on a shared disk a process elsewhere cannot be asked whether it lives
  const prefix = `${basename(path)}.${hostname()}-`;
  const own = join(folder, `${prefix}${process.pid}.incomplete`);
  if (await stat(own).catch(() => undefined)) return own;
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(prefix) && /^(\d+)\.incomplete$/.exec(name.slice(prefix.length))?.[1];
    if (!pid || (await isRunning({ pid: Number(pid) }))) continue;
    const isOurs = await rename(join(folder, name), own).then(
      () => true,
      () => false, // another process was faster
    );
    if (isOurs) break;
  }
  return own;
}
