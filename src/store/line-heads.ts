/**
 * How the lines of a run's logs begin: which step each is of, at the speed of the disk, since traces may be many gigabytes.
 * Relies on the writers: `step` is a line's first field. Must not know what else a line says.
 */
import { createReadStream } from "node:fs";

const HEAD = /^\{"step":(\d+)[,}](?:"split":"(\w+)")?/;
const HEAD_BYTES = 64;
const NEWLINE = 0x0a;
/** Read at once: a file of gigabytes takes about half the time that it takes in blocks of 64 KiB. */
const BLOCK_BYTES = 2 ** 20;

export interface LineHead {
  /** Undefined in a header, and where the line is damaged. */
  step?: number;
  /** Of a line of `evaluations.jsonl`. */
  split?: string;
}

/** What a line begins with. */
export function headOf(text: string): LineHead {
  const [, step, split] = HEAD.exec(text.slice(0, HEAD_BYTES)) ?? [];
  return { ...(step !== undefined && { step: Number(step) }), ...(split !== undefined && { split }) };
}

/** Of every whole line in order, with the byte that follows its newline. Throws what reading the file throws. */
export async function* lineHeads(path: string): AsyncGenerator<LineHead & { end: number }> {
  let [read, head] = [0, ""];
  const chunks = createReadStream(path, { highWaterMark: BLOCK_BYTES }) as AsyncIterable<Buffer>;
  for await (const chunk of chunks) {
    let start = 0;
    for (let newline = chunk.indexOf(NEWLINE); newline !== -1; newline = chunk.indexOf(NEWLINE, start)) {
      head += chunk.toString("latin1", start, Math.min(newline, start + HEAD_BYTES));
      yield { ...headOf(head), end: read + newline + 1 };
      [start, head] = [newline + 1, ""];
    }
    if (head.length < HEAD_BYTES) head += chunk.toString("latin1", start, start + HEAD_BYTES);
    read += chunk.length;
  }
}
