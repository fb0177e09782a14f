/** Is a process that was written down still there? Its number may have been given to another one since. */
import { readFile, readlink } from "node:fs/promises";

/**
 * Something that no other process of this machine has: the boot and the moment in it when the process began. Undefined where
 * the system does not tell (no /proc), and of a process that is gone or only waits to be reaped.
 */
export async function identityOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // the name before it may hold anything, also spaces and brackets
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return undefined;
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    return `${boot.trim()}:${rest[18]}`;
  } catch {
    return undefined;
  }
}

/** Where the numbers of processes mean the same: containers of one host have their own. Undefined without /proc. */
export async function ownContainer(): Promise<string | undefined> {
  return readlink("/proc/self/ns/pid").catch(() => undefined);
}

/** Of this machine. Where the system does not tell when a process began, its number alone decides. */
export async function isRunning({
  pid,
  identity,
}: {
  pid: number;
  identity?: string | undefined;
}): Promise<boolean> {
  if (identity !== undefined) return (await identityOf(pid)) === identity;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
