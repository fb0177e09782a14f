/** Where the time of a graph goes, by kind of op, as the runtime's own profiler measures it. */
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { addOp, type GraphTime, longestFirst, type OpTime } from "../core/profile.ts";

export type GraphProfile = Omit<GraphTime, "graph">;

/** A profiler's file in a folder of its own. */
export interface ProfileFile {
  /** Start of the file's name. */
  prefix: string;
  read(): Promise<OpTime[]>;
  remove(): Promise<void>;
}

/** Throws what the file system throws when there is no place for temporary files. */
export async function createProfileFile(): Promise<ProfileFile> {
  const folder = await mkdtemp(join(tmpdir(), "mulligan-profile-"));
  return {
    prefix: join(folder, "ops"),
    async read() {
      const [name] = await readdir(folder);
      return name === undefined ? [] : sumOps(join(folder, name));
    },
    remove: () => rm(folder, { recursive: true, force: true }),
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
    addOp(ops, { op: args.op_name, calls: 1, seconds: dur / 1e6 });
  }
  return longestFirst(ops.values());
}
