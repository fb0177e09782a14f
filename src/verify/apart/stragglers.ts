/**
 * Processes that left their parent's group (daemons, `setsid`) are found by a mark in the environment that they
 * inherited. Linux only; one that cleared its environment is not found.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Kills every process whose variable `name` begins with `value`, this process apart. */
export function endStragglers(name: string, value: string): void {
  for (const pid of markedProcesses(name, value)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {} // it is gone already
  }
}

/** Their process ids; empty where /proc does not tell. */
export function markedProcesses(name: string, value: string): number[] {
  if (process.platform !== "linux") return [];
  const wanted = `\0${name}=${value}`;
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((entry) => environmentOf(entry).includes(wanted))
    .map(Number);
}

function environmentOf(pid: string): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`;
  } catch {
    return ""; // ended, or another user's
  }
}
