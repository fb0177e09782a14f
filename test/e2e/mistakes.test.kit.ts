/**
 * For end-to-end tests of mistakes: each ends in a message that says what, where and what to do, with exit code 1, and
 * leaves nothing in the output folder, so that the corrected command then just works.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import {
  type Flags,
  makeFolder,
  makeParityTask,
  makeTinyModel,
  run,
  snapshot,
  tiny,
} from "./tiny.test.kit.ts";

export interface Workbench {
  /** A sound model, and a sound task as a file. */
  model: string;
  parity: string;
  /** The test's own folder, and the run folder in it. */
  own: string;
  output: string;
  /** What `train` says when it refuses, from "error: " on. */
  refusal(flags: Flags): Promise<string>;
}

/** A workbench for all tests of a file; its folders change with each. */
export function setUpWorkbench(): Workbench {
  let folder: string;
  let remove: () => Promise<void>;
  let tests = 0;
  const bench: Workbench = { model: "", parity: "", own: "", output: "", refusal };
  beforeAll(async () => {
    ({ folder, remove } = await makeFolder());
    bench.model = await makeTinyModel(join(folder, "model"));
    bench.parity = await makeParityTask(folder);
  });
  afterAll(() => remove());
  beforeEach(async () => {
    bench.own = join(folder, `test-${++tests}`);
    bench.output = join(bench.own, "run");
    await mkdir(bench.own);
  });
  return bench;

  async function refusal(flags: Flags): Promise<string> {
    const all = { ...tiny, "--model": bench.model, "--output-dir": bench.output, ...flags };
    const before = await snapshot(String(all["--output-dir"]));
    const { code, out, err } = await run("train", all);
    expect([code, out]).toEqual([1, ""]);
    expect(await snapshot(String(all["--output-dir"]))).toEqual(before);
    return err.slice(err.indexOf("error: "));
  }
}
