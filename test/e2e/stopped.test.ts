/** Commands without steps end at the first signal, and nothing half-written is left. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { MulliganConfig } from "../../src/train/config.ts";
import { exportCheckpoint } from "../../src/train/export.ts";
import { makeFolder, makeTinyModel } from "./tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let model: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  model = await makeTinyModel(join(folder, "model"));
});
afterAll(() => remove());

/** What comes of a command line whose signal has come already. */
async function stopped(...argv: string[]) {
  let [out, err] = ["", ""];
  const code = await runCli(argv, {
    presets: {},
    signal: AbortSignal.abort(),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    folder,
  });
  return { code, out, err };
}

const nothing = { code: 130, out: "", err: "" };

test("init leaves neither a folder nor some of its files", async () => {
  expect(await stopped("init", "mine/task")).toEqual(nothing);
  expect(await readdir(folder)).toEqual(["model"]);
});

/** What holds the process: a stop may not leave more of it than there was. */
const held = () =>
  process.getActiveResourcesInfo().filter((kind) => /Worker|MessagePort|Process/.test(kind)).length;

test("bench closes its engine and ends", async () => {
  const before = held();
  expect(await stopped("bench", "--threads", "1")).toEqual(nothing);
  await expect.poll(held).toBe(before);
});

/** Aborts when it is asked whether it is for the n-th time, from 0. */
function stopAt(n: number): AbortSignal {
  const controller = new AbortController();
  let asked = 0;
  const throwIfAborted = () => {
    if (asked++ === n) controller.abort();
    if (controller.signal.aborted) throw controller.signal.reason;
  };
  return Object.defineProperty(controller.signal, "throwIfAborted", { value: throwIfAborted });
}

test("export leaves nothing wherever it is stopped, between two tensors too", async () => {
  const config = MulliganConfig.parse({ task: "countdown", model });
  const output = join(folder, "exported");
  const work = (signal: AbortSignal) =>
    exportCheckpoint(config, output, { format: "safetensors", dtype: "float32", signal });
  for (let n = 0; ; n++) {
    const signal = stopAt(n);
    const error = await work(signal).catch((error: unknown) => error);
    if (error === undefined) {
      expect(n).toBeGreaterThan(10); // a check for each of its tensors
      break;
    }
    expect(error).toBe(signal.reason);
    expect(await readdir(folder)).toEqual(["model"]);
  }
  expect(await readdir(output)).toContain("model.safetensors");
});
