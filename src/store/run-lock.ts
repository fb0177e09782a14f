/**
 * `run.lock`: only one process at a time writes into a run folder. The file appears whole, names its process, and goes with
 * it; what a killed process left is taken over. Knows nothing of what is written.
 */
import { readFileSync, rmSync, statSync } from "node:fs";
import { link, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { unwritable } from "../core/atomic-file.ts";
import { MulliganError } from "../core/errors.ts";
import { parseJson, readTextFile } from "../core/json-file.ts";
import { identityOf, isRunning, ownContainer } from "../core/process-identity.ts";

export const LOCK_FILE = "run.lock";

const Holder = z.object({
  pid: z.int().min(1),
  host: z.string(),
  since: z.iso.datetime(),
  /** When the process began, and the container in which its number holds, where the system tells. */
  identity: z.string().exactOptional(),
  container: z.string().exactOptional(),
});
type Holder = z.infer<typeof Holder>;

/**
 * Does the work while this process holds the folder, which must be there. The lock goes when the work ends, fails, or the
 * process exits. Throws what the work throws, and `MulliganError("io")` when another process holds the folder.
 */
export async function whileLocked<T>(dir: string, work: () => Promise<T>): Promise<T> {
  const path = join(dir, LOCK_FILE);
  const own = await lock(path);
  // at the exit of a process nothing can be awaited
  const release = () => {
    const isOwnSize = statSync(path, { throwIfNoEntry: false })?.size === Buffer.byteLength(own);
    if (isOwnSize && readFileSync(path, "utf8") === own) rmSync(path, { force: true });
  };
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

/** Returns the text of the lock. */
async function lock(path: string): Promise<string> {
  const [identity, container] = [await identityOf(process.pid), await ownContainer()];
  const own: Holder = {
    ...{ pid: process.pid, host: hostname(), since: new Date().toISOString() },
    ...(identity !== undefined && { identity }),
    ...(container !== undefined && { container }),
  };
  const text = `${JSON.stringify(own)}\n`;
  while (!(await create(path, text))) {
    const found = await readLock(path);
    if (found === undefined) continue;
    const other = holderIn(found);
    const isHere = other?.host === own.host && other.container === own.container;
    if (!isHere || (await isRunning(other))) throw heldBy(other, { path, isHere });
    await removeStale(path, found);
  }
  return text;
}

/** Undefined when it was released just now; "" when it cannot be read. */
async function readLock(path: string): Promise<string | undefined> {
  return readTextFile(path).catch((error: NodeJS.ErrnoException) =>
    error.code === "ENOENT" ? undefined : "",
  );
}

/** False when there is one. Linked, so that nobody ever reads half of it; where links are unknown, written at once. */
async function create(path: string, text: string): Promise<boolean> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text);
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw error;
      return writeFile(path, text, { flag: "wx" });
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw unwritable(path, error);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** Moved away first: of several processes that found it, one moves it, and who moved another's puts it back. */
async function removeStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.stale.${process.pid}.tmp`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw unwritable(path, error);
  }
  if ((await readLock(aside)) !== stale) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

function holderIn(text: string): Holder | undefined {
  try {
    return Holder.parse(parseJson(text));
  } catch {
    return undefined;
  }
}

function heldBy(
  holder: Holder | undefined,
  { path, isHere }: { path: string; isHere: boolean },
): MulliganError {
  const rule = `${path}: one process at a time writes into a run folder`;
  if (!holder) {
    return new MulliganError("io", `${rule}, got a lock that cannot be read`, {
      hint: `when no other process works on the run, remove it: ${path}`,
    });
  }
  const { pid, host, since } = holder;
  const hint = isHere
    ? `wait until it ends, or stop it: kill ${pid}`
    : `when that process has ended, which cannot be seen from here, remove the lock: ${path}`;
  return new MulliganError("io", `${rule}, got process ${pid} on ${host} since ${since}`, { hint });
}
