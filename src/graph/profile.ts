/** Where the time of a graph goes, by kind of op, as the runtime's own profiler measures it. */
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { GraphTime, OpTime } from "../core/profile.ts";

export type GraphProfile = Omit<GraphTime, "graph">;

/** A profiler's file in a folder of its own. */
export interface ProfileFile {
  /** Start of the file's name. */
  prefix: string;
  /** Sums the file up and removes it. */
  read(): Promise<OpTime[]>;
}

/** Throws what the file system throws when there is no place for temporary files. */
export async function createProfileFile(): Promise<ProfileFile> {
  const folder = await mkdtemp(join(tmpdir(), "mulligan-profile-"));
  return {
    prefix: join(folder, "ops"),
    async read() {
      const [name] = await readdir(folder);
      const ops = name === undefined ? [] : await sumOps(join(folder, name));
      await rm(folder, { recursive: true, force: true });
      return ops;
    },
  };
}

/** One line of the profiler's file (Chrome's trace format); `dur` is in microseconds. */
interface TraceEvent {
  dur: number;
  args: { op_name: string };
}

/** Line by line: the file of a long run exceeds what a string can hold. Brackets and the session's own events are no ops'. */
async function sumOps(file: string): Promise<OpTime[]> {
  const ops = new Map<string, OpTime>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (!line.includes('"cat" : "Node"')) continue;
    const { dur, args } = JSON.parse(line.replace(/,\s*$/, "")) as TraceEvent;
    const time = ops.get(args.op_name) ?? { op: args.op_name, calls: 0, seconds: 0 };
    ops.set(args.op_name, { op: time.op, calls: time.calls + 1, seconds: time.seconds + dur / 1e6 });
  }
  return [...ops.values()].sort((a, b) => b.seconds - a.seconds);
}
