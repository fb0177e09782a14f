import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LogContext } from "../logger.ts";
import { readEvents, readRecords, slowCrc32c } from "./event-reader.test.kit.ts";
import { crc32c, recordFrom } from "./record.ts";
import { createTensorboard } from "./tensorboard.ts";

let path: string;
let clock: number;
let warnings: string[];
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), "mulligan-tb-")), "tensorboard");
  clock = 1_700_000_000_000;
  warnings = [];
});
afterEach(() => rmSync(join(path, ".."), { recursive: true }));

const context = (resumedFrom?: number): LogContext => ({
  path,
  settings: { seed: 3, model: "mini" },
  runName: "first",
  resumedFrom,
  now: () => clock,
  warn: (message) => warnings.push(message),
});
const names = () => readdirSync(path).sort();
const events = (name: string) => readEvents(readFileSync(join(path, name)));

/** Steps and validations as a run tells them. */
async function logRun(from: number, to: number, resumedFrom?: number): Promise<void> {
  const logger = createTensorboard(context(resumedFrom));
  if (from === 0) logger.log({ type: "evaluation", step: 0, metrics: { "eval/rescue": 0.25 } });
  for (let step = Math.max(from, 1); step <= to; step++) {
    logger.log({ type: "step", step, metrics: { reward: step / 8, "time/train": 1.5, kl: null } });
  }
  await logger.close("finished");
}

/** What TensorBoard shows of a tag: every start but the first makes void what was told of its step and later ones. */
function shown(tag: string): [step: number, value: number][] {
  const values: [number, number][] = [];
  let starts = 0;
  for (const event of names().flatMap(events)) {
    if (event.isStart && starts++ > 0) {
      const kept = values.filter(([step]) => step < event.step);
      values.splice(0, values.length, ...kept);
    }
    if (tag in event.scalars) values.push([event.step, event.scalars[tag]!]);
  }
  return values;
}

describe("the checksum", () => {
  test.each([
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["the digits", new TextEncoder().encode("123456789"), 0xe3069283],
    ["nothing", new Uint8Array(), 0],
  ])("of %s is RFC 3720's", (_, data, sum) => {
    expect(crc32c(data)).toBe(sum);
    expect(slowCrc32c(data)).toBe(sum);
  });

  test("shows every flipped bit of a record", () => {
    const record = recordFrom(new TextEncoder().encode("event"));
    expect(readRecords(Buffer.from(record)).map(String)).toEqual(["event"]);
    for (let bit = 0; bit < 8 * record.length; bit++) {
      const damaged = Buffer.from(record);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => readRecords(damaged)).toThrow();
    }
  });
});

test("a run's steps and validations are scalars under our names, its settings a text", async () => {
  await logRun(0, 2);
  expect(names()).toEqual(["events.out.tfevents.1700000000.mulligan"]);
  const [version, start, settings, ...rest] = events(names()[0]!);
  expect(version).toMatchObject({ version: "brain.Event:2", time: 1_700_000_000 });
  expect(start).toMatchObject({ step: 0, isStart: true });
  expect(JSON.parse(settings!.texts.settings!)).toEqual({ seed: 3, model: "mini" });
  expect(settings!.texts.settings).toMatch(/^ {4}\{\n/);
  expect(rest.map(({ step, scalars }) => [step, scalars])).toEqual([
    [0, { "eval/rescue": 0.25 }],
    [1, { reward: 0.125, "time/train": 1.5 }],
    [2, { reward: 0.25, "time/train": 1.5 }],
  ]);
  expect(warnings).toEqual([]);
});

test("a number too large for a float is infinite there, and no warning", async () => {
  const logger = createTensorboard(context());
  logger.log({ type: "step", step: 1, metrics: { grad_norm: 1e39, reward: 0.5 } });
  await logger.close("finished");
  expect(shown("grad_norm")).toEqual([[1, Infinity]]);
  expect(shown("reward")).toEqual([[1, 0.5]]);
  expect(warnings).toEqual([]);
});

test("a run that goes on from a checkpoint shows every step once, whatever the clock says", async () => {
  await logRun(0, 5);
  clock -= 3_600_000;
  await logRun(4, 7, 3);
  expect(names()).toHaveLength(2);
  expect(shown("reward")).toEqual([1, 2, 3, 4, 5, 6, 7].map((step) => [step, step / 8]));
  expect(shown("eval/rescue")).toEqual([[0, 0.25]]);
});

test("a run that begins again before its first checkpoint shows every step once", async () => {
  await logRun(0, 2);
  await logRun(0, 3, 0);
  expect(shown("reward").map(([step]) => step)).toEqual([1, 2, 3]);
  expect(shown("eval/rescue")).toEqual([[0, 0.25]]);
});

test("a torn end of a killed run's file stays by itself", async () => {
  await logRun(0, 3);
  const torn = join(path, names()[0]!);
  const bytes = readFileSync(torn);
  writeFileSync(torn, bytes.subarray(0, bytes.length - 7));
  await logRun(3, 4, 2);
  expect(() => events(names()[0]!)).toThrow();
  expect(events(names()[1]!).map(({ step }) => step)).toEqual([0, 3, 3, 4]);
});

test("a run that logs nothing leaves nothing", async () => {
  await createTensorboard(context()).close("failed");
  expect(existsSync(path)).toBe(false);
});

test("a folder that cannot be written is warned of once, and at the end", async () => {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "a file");
  await logRun(0, 3);
  expect(warnings).toEqual([
    expect.stringMatching(/^tensorboard: .*cannot be written: .*; metrics\.jsonl has everything$/),
    expect.stringMatching(/^tensorboard: 4 events were not written/),
  ]);
});
