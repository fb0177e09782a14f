/**
 * The process in which a reader is tried: it may hang, crash or be killed. For each case it writes the number before it
 * begins and the outcome after it, each at once, so that whoever watches knows where it stopped.
 *
 * tsx test/fuzz/child.ts <reader> <seed> <from> <to> [<folder to keep the last case in>]
 */
import { writeSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MulliganError } from "../../src/core/errors.ts";
import { createRng, type Rng } from "../../src/core/rng.ts";
import type { Outcome } from "./fuzz.ts";
import { type FileKind, mutate } from "./mutate.ts";
import { type Reader, readers } from "./readers.ts";

/** What any case may take of memory, and what it may take for each byte of its file. */
const [BASE_BYTES, BYTES_PER_BYTE] = [64 * 2 ** 20, 8];

const [name, seed, from, to, kept] = process.argv.slice(2);
/** "all" takes the readers in turn. */
const chosen = readers.filter((reader) => name === "all" || reader.name === name);
const say = (line: unknown) => writeSync(1, `${JSON.stringify(line)}\n`);

/** What a reader left behind that fails outside its own promise. */
let stray: unknown;
const onStray = (error: unknown) => {
  stray = error;
};
process.on("unhandledRejection", onStray).on("uncaughtException", onStray);

interface Place {
  reader: Reader;
  folder: string;
  valid: ReadonlyMap<string, Buffer>;
}

const root = kept ?? (await mkdtemp(join(tmpdir(), "mulligan-fuzz-")));
try {
  const places: Place[] = [];
  for (const [index, reader] of chosen.entries()) {
    const folder = join(root, String(index));
    await mkdir(folder);
    await reader.prepare(folder);
    const valid = new Map<string, Buffer>();
    for (const file of Object.keys(reader.files)) valid.set(file, await readFile(join(folder, file)));
    places.push({ reader, folder, valid });
  }
  for (let n = Number(from); n < Number(to); n++) {
    const place = places[n % places.length]!;
    const rng = createRng(Number(seed))
      .fork(place.reader.name)
      .fork(Math.floor(n / places.length));
    say(n);
    say(await tryCase(place, rng));
  }
} catch (error) {
  console.error(error); // of this test's own making
  process.exit(1);
} finally {
  if (kept === undefined) await rm(root, { recursive: true });
}
process.exit();

async function tryCase({ reader, folder, valid }: Place, rng: Rng): Promise<Outcome> {
  const { files, read, moreBytes = 0 } = reader;
  const file = rng.choice([...valid.keys()]);
  const kind = files[file]!;
  const bytes = mutate(kind, valid.get(file)!, rng);
  for (const [path, content] of valid) await writeFile(join(folder, path), path === file ? bytes : content);

  const before = { rss: process.memoryUsage().rss, peak: peakBytes(), cpu: process.cpuUsage() };
  const start = performance.now();
  const error = await attempt(() => read(folder, file));
  const { user, system } = process.cpuUsage(before.cpu);
  // other programs' turns on the processor are not the reader's time
  const ms = Math.min(performance.now() - start, (user + system) / 1000);
  const peak = peakBytes();
  const took = peak > before.peak ? Math.max(0, peak - before.rss) : 0;

  const allowed = BASE_BYTES + BYTES_PER_BYTE * bytes.length + moreBytes;
  const outcome = {
    file,
    ms,
    megabytes: took / 2 ** 20,
    isParsed: isParsed(kind, bytes, error),
    isOurs: error !== undefined,
  };
  const fault = faultOf(error) ?? (took > allowed ? `took ${took} bytes, more than ${allowed}` : undefined);
  return fault === undefined ? outcome : { ...outcome, fault };
}

async function attempt(work: () => Promise<unknown>): Promise<unknown> {
  stray = undefined;
  try {
    await work();
  } catch (error) {
    return error ?? new Error("threw nothing");
  }
  await new Promise(setImmediate);
  return stray;
}

function faultOf(error: unknown): string | undefined {
  const isPolluted = "polluted" in {} || Object.keys(Object.prototype).length > 0;
  if (isPolluted) return "changed the prototype of all objects";
  if (error === undefined || error instanceof MulliganError) return undefined;
  return `threw ${error instanceof Error ? error.stack : String(error)}`;
}

/** In its lifetime. */
function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** Did the case get as far as the meaning of what stands in the file? */
function isParsed(kind: FileKind, bytes: Buffer, error: unknown): boolean {
  const text = bytes.toString("utf8");
  try {
    if (kind === "json") JSON.parse(text);
    if (kind === "jsonl") for (const line of text.split("\n")) if (line.trim()) JSON.parse(line);
    if (kind === "safetensors") JSON.parse(text.slice(8, 8 + Number(bytes.readBigUInt64LE(0))));
    return !(error instanceof Error && /must be valid Jinja|not CSV|not Parquet/.test(error.message));
  } catch {
    return false;
  }
}
