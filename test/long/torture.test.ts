/**
 * One run is killed in every phase and meets full and broken disks, one after the other; it is never half there, and it
 * ends as the run to which none of that happened. `npm run test:torture` does more of it.
 */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PHASES, phasesOf } from "../torture/phases.ts";
import {
  type Bench,
  begin,
  type Contents,
  contentsOf,
  differences,
  type Ending,
  faultAt,
  goOn,
  halves,
  setUpBench,
} from "../torture/victim.ts";

// every process loads a model; where many run at once that takes its time
const PATIENCE = 240_000;

let bench: Bench;
let whole: Ending;
let reference: Contents;
beforeAll(async () => {
  bench = await setUpBench();
  const place = await bench.place("whole");
  whole = await begin(place, "reflection");
  reference = await contentsOf(place);
}, PATIENCE);
afterAll(() => bench.remove());

test("the run does everything that can be interrupted", () => {
  expect([whole.code, whole.err.match(/^error/m)]).toEqual([0, null]);
  const phases = new Set(phasesOf(whole.points));
  expect(PHASES.filter((phase) => !phases.has(phase))).toEqual([]);
  const files = ["refreshed/failures-3.jsonl", "checkpoint-2/optimizer.safetensors", "model/tokenizer.json"];
  expect(files.filter((name) => !reference.has(name))).toEqual([]);
});

test.concurrent(
  "killed before, in the middle of and between its writes, it is never half there, and ends the same",
  async () => {
    const place = await bench.place("killed");
    for (const [point, count, what, phase] of [
      ["rename config.json", 1, "kill", "collecting"], // begun, but there is nothing yet to resume
      ["write collecting.jsonl", 3, "torn", "collecting"],
      ["write evaluations.jsonl", 1, "torn", "evaluating"], // its file is there, its line is not
      ["verify", 3, "kill", "verifying"],
      ["rename latest", 1, "kill", "saving"],
      ["train", 2, "kill", "training"],
    ] as const) {
      const ending = await goOn(place, "reflection", faultAt(place, point, count, what));
      expect([point, ending.signal, phasesOf(ending.points).at(-1)]).toEqual([point, "SIGKILL", phase]);
      expect(await halves(place, reference)).toEqual([]);
    }
    expect((await goOn(place, "reflection")).code).toBe(0);
    expect(await differences(place, reference)).toEqual([]);
  },
  PATIENCE,
);

test.concurrent(
  "a write or a sync that fails ends it with what to do, the checkpoint before stays, and it goes on to the same end",
  async () => {
    const place = await bench.place("failing");
    for (const [point, code] of [
      ["write checkpoint-2.tmp/optimizer.safetensors", "ENOSPC"], // in the engine's thread
      ["fsync checkpoint-2/trainer_state.json", "EIO"],
    ] as const) {
      const failed = await goOn(place, "reflection", faultAt(place, point, 1, code));
      const [operation, name] = point.replace(".tmp", "").split(" ");
      const message = `error: .*${name}: cannot be written: ${code}: asked for, ${operation} .*\nhint: .*${code === "ENOSPC" ? "make room .*--resume" : "has room"}\n$`;
      expect(failed.err).toMatch(new RegExp(message));
      expect(failed.code).toBe(1);
      expect(await readFile(join(place, "run", "latest"), "utf8")).toBe("checkpoint-1\n");
      const names = [...(await contentsOf(place)).keys()];
      expect(names.filter((name) => name.startsWith("checkpoint-2"))).toEqual([]);
    }
    expect((await goOn(place, "reflection")).code).toBe(0);
    expect(await differences(place, reference)).toEqual([]);
  },
  PATIENCE,
);

/** Makes a file system of so many KiB in a folder, where this user may. */
function mount(folder: string, kib: number, option = ""): boolean {
  try {
    const options = `${option}size=${kib}k`;
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test.concurrent(
  "on a disk that is really full it stops, and goes on once there is room",
  async ({ skip }) => {
    const place = await bench.place("small");
    if (process.platform !== "linux" || !mount(place, 300)) return skip();
    try {
      const full = await begin(place, "reflection");
      expect(full.err).toMatch(
        /error: .*checkpoint-3.*: cannot be written: ENOSPC.*\nhint: make room .*--resume\n$/,
      );
      expect(full.code).toBe(1);
      expect(mount(place, 4000, "remount,")).toBe(true);
      expect((await goOn(place, "reflection")).code).toBe(0);
      expect(await differences(place, reference)).toEqual([]);
    } finally {
      execFileSync("umount", ["--lazy", place]);
    }
  },
  PATIENCE,
);
