import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { requireIntactLogs } from "./intact-logs.ts";
import { type RunFolder, runFolderAt } from "./run-folder.ts";

let folder: RunFolder;
beforeEach(async () => {
  folder = runFolderAt(await mkdtemp(join(tmpdir(), "mulligan-logs-")));
  for (const step of [2, 4]) await mkdir(join(folder.dir, `checkpoint-${step}`));
  await writeFile(folder.latest, "checkpoint-4\n");
});
afterEach(() => rm(folder.dir, { recursive: true }));

const lines = (...steps: number[]) => steps.map((step) => `{"step":${step},"x":"y"}\n`).join("");
const damaged = (step: number) => `{"step":${step},"x":"y\u0000"}\n`;

test("a damaged line that would be kept is named, with the checkpoint that it is written anew from", async () => {
  await writeFile(folder.metrics, lines(1, 2, 3) + damaged(4));
  await expect(requireIntactLogs(folder, 4)).rejects.toMatchObject({
    code: "data",
    message: expect.stringMatching(/metrics\.jsonl, line 4: must be one complete JSON value/),
    hint: expect.stringMatching(/--resume --from checkpoint-2$/),
  });
  await writeFile(folder.metrics, lines(1, 2, 3, 4));
  await writeFile(folder.traces, `{"kind":"traces","version":1}\n${lines(1)}${damaged(1)}${lines(2, 3, 4)}`);
  await expect(requireIntactLogs(folder, 4)).rejects.toMatchObject({
    message: expect.stringMatching(/traces\.jsonl, line 3: /),
    hint: expect.stringMatching(/--clean$/),
  });
});

test("a line that is not UTF-8 is named, and one that was torn inside a character is not", async () => {
  const inCharacter = Buffer.from('{"step":5,"x":"é').subarray(0, -1);
  await writeFile(folder.metrics, Buffer.concat([Buffer.from(lines(1, 2, 3, 4)), inCharacter]));
  await expect(requireIntactLogs(folder, 4)).resolves.toBeUndefined();
  const flipped = Buffer.from(lines(1, 2, 3, 4));
  flipped[flipped.indexOf('{"step":4') + '{"step":4,"x":"'.length]! ^= 0x80;
  await writeFile(folder.metrics, flipped);
  await expect(requireIntactLogs(folder, 4)).rejects.toMatchObject({
    message: expect.stringMatching(/metrics\.jsonl, line 4: must be one complete JSON value: not UTF-8$/),
    hint: expect.stringMatching(/--resume --from checkpoint-2$/),
  });
});

test("what is written again anyway may be damaged or torn", async () => {
  await writeFile(folder.metrics, `${lines(1, 2, 3, 4) + damaged(5)}{"step":6,"x`);
  await writeFile(folder.timings, `${lines(1, 2, 3, 4)}{"st`);
  await expect(requireIntactLogs(folder, 4)).resolves.toBeUndefined();
});

test("a log that ends before the checkpoint is named, cut at a line's end or inside one", async () => {
  await writeFile(folder.metrics, lines(1, 2));
  await expect(requireIntactLogs(folder, 4)).rejects.toMatchObject({
    message: expect.stringMatching(
      /metrics\.jsonl: must have a line for each step up to 4, got none of step 3$/,
    ),
    hint: expect.stringMatching(/--resume --from checkpoint-2$/),
  });
  await writeFile(folder.metrics, lines(1, 2, 3, 4));
  for (const end of ['{"step":3,"x', '{"step":3,"x":"y"}']) {
    await writeFile(folder.traces, `{"kind":"traces","version":1}\n${lines(1, 2)}${end}`);
    await expect(requireIntactLogs(folder, 4)).rejects.toMatchObject({
      message: expect.stringMatching(/traces\.jsonl, line 4: must be whole, is cut off$/),
    });
  }
});

test("traces that end before the checkpoint at a line's end are named, and those after it may", async () => {
  const measured = [1, 2, 3, 4, 5]
    .map((step) => `{"step":${step},"groups/live":1,"groups/tied":1}\n`)
    .join("");
  await writeFile(folder.metrics, measured);
  const traced = `{"kind":"traces","version":1}\n${lines(1, 1, 2, 2, 3, 3, 4, 4)}`;
  await writeFile(folder.traces, traced);
  await expect(requireIntactLogs(folder, 4)).resolves.toBeUndefined();
  await writeFile(folder.traces, traced.slice(0, -lines(4).length));
  await expect(requireIntactLogs(folder, 4)).rejects.toMatchObject({
    message: expect.stringMatching(
      /traces\.jsonl: must have every group of the steps up to 5, got 1 of the 2 of step 4$/,
    ),
    hint: expect.stringMatching(/--resume --from checkpoint-2$/),
  });
});
