/**
 * Faults on demand, for tests of what a kill or a full disk leaves behind. MULLIGAN_FAULT=point:file:count:what breaks the
 * count-th time that a thread reaches the point with a path that ends in `file`; MULLIGAN_FAULT_LOG names a file that is
 * told of every point. Both are read once, when the process starts; without them nothing happens here.
 */
import { appendFileSync } from "node:fs";

/** What a disk is asked to do, and what a run is about to do. */
export type FaultPoint =
  | ("write" | "fsync" | "rename" | "remove" | "mkdir" | "truncate")
  | ("collect" | "evaluate" | "sample" | "verify" | "train");

interface Fault {
  /** Or * for any. */
  point: string;
  file: string;
  count: number;
  /** kill: SIGKILL before it is done. torn: half of a write is done, then SIGKILL. Else the code of the error to throw. */
  what: string;
}

const log = process.env.MULLIGAN_FAULT_LOG;
const fault = parseFault(process.env.MULLIGAN_FAULT);
let reached = 0;

/** Says that a point is reached. Returns true where a write is to be torn; throws the error that was asked for. */
export function reach(point: FaultPoint, path = ""): boolean {
  if (log === undefined && fault === undefined) return false;
  if (log !== undefined) appendFileSync(log, `${point} ${path}\n`);
  if (!fault || (fault.point !== "*" && fault.point !== point) || !path.endsWith(fault.file)) return false;
  if (++reached !== fault.count) return false;
  if (fault.what === "kill") endNow();
  if (fault.what === "torn") return true;
  throw Object.assign(new Error(`${fault.what}: asked for, ${point} '${path}'`), { code: fault.what });
}

/** Ends the process as a loss of power would: nothing is tidied up. */
export function endNow(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("outlived its SIGKILL");
}

/** Throws `RangeError`: who sets it is a test. */
export function parseFault(text: string | undefined): Fault | undefined {
  if (text === undefined) return undefined;
  const [, point, file, count, what] = /^(\w+|\*):([^:]*):([1-9]\d*):(kill|torn|E[A-Z]+)$/.exec(text) ?? [];
  if (point && what) return { point, file: file!, count: Number(count), what };
  throw new RangeError(`MULLIGAN_FAULT: must be point:file:count:kill|torn|CODE, got ${text}`);
}
