/**
 * TensorBoard event files: one for each start of a run, so that a torn end of the last one stays where it is, and the
 * first event of a run that goes on makes void what was told after its checkpoint.
 */
import { type FileHandle, mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type LogContext, type Logger, numbersOf } from "../logger.ts";
import { type EventContent, encodeEvent } from "./event.ts";
import { recordFrom } from "./record.ts";

const FILE = /^events\.out\.tfevents\.(\d+)\.mulligan$/;
/** Longest wait for the disk at the end of a run. Arbitrary. */
const CLOSE_MS = 10_000;

/** `path` is the folder. Opens its file at the first event. A file that cannot be written ends it, with a warning. */
export function createTensorboard(context: LogContext): Logger {
  const { path, resumedFrom, now, warn } = context;
  let handle: FileHandle | undefined;
  let isBroken = false;
  let lost = 0;
  const write = async (step: number, ...contents: EventContent[]) => {
    const records = contents.map((content) => recordFrom(encodeEvent(now() / 1000, step, content)));
    const bytes = Buffer.concat(records);
    for (let at = 0; at < bytes.length; ) at += (await handle!.write(bytes, at)).bytesWritten;
  };
  const begin = async () => {
    const names = await filesIn(path);
    handle = await openNext(path, names, now());
    await write(0, { version: true });
    // TensorBoard takes the first for a start, later ones for restarts: steps that are told again would stand there twice
    await write(resumedFrom ? resumedFrom + 1 : 0, { start: true });
    if (!resumedFrom || names.length === 0)
      await write(0, { tag: "settings", text: markdownOf(context.settings) });
  };
  // one after the other; after half a record nothing more may follow
  let last: Promise<void> = Promise.resolve();
  const enqueue = (work: () => Promise<void>) => {
    last = last.then(async () => {
      if (isBroken) return void lost++;
      try {
        if (!handle) await begin();
        await work();
      } catch (error) {
        isBroken = true;
        lost++;
        warn(
          `tensorboard: ${path}: cannot be written: ${(error as Error).message}; metrics.jsonl has everything`,
        );
      }
    });
  };
  return {
    log(event) {
      enqueue(() => write(event.step, { scalars: numbersOf(event) }));
    },
    async close() {
      const isDone = await within(
        CLOSE_MS,
        last.then(async () => handle?.close()),
      );
      if (!isDone || lost > 1)
        warn(`tensorboard: ${isDone ? lost : "some"} events were not written to ${path}`);
    },
  };
}

/** Names in order of time, as readers take them. */
async function filesIn(path: string): Promise<string[]> {
  await mkdir(path, { recursive: true });
  return (await readdir(path)).filter((name) => FILE.test(name)).sort();
}

/** Later in order than the others, whatever the clock says. */
async function openNext(path: string, names: readonly string[], now: number): Promise<FileHandle> {
  const newest = Number(FILE.exec(names.at(-1) ?? "")?.[1] ?? 0);
  const seconds = Math.max(Math.floor(now / 1000), newest + 1);
  return open(join(path, `events.out.tfevents.${String(seconds).padStart(10, "0")}.mulligan`), "wx");
}

/** As a block of code. */
function markdownOf(settings: LogContext["settings"]): string {
  return JSON.stringify(settings, null, 2).replace(/^/gm, "    ");
}

async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  const isDone = await Promise.race([
    work.then(
      () => true,
      () => false,
    ),
    late,
  ]);
  clearTimeout(timer);
  return isDone;
}
