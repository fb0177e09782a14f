import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { codePoints, writeFakeRun } from "../report/fake-run.test.kit.ts";
import { runFolderAt } from "../store/run-folder.ts";
import { leaveReport } from "./leave-report.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mulligan-leave-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function leave(): Promise<string> {
  let err = "";
  await leaveReport(runFolderAt(dir), codePoints, { write: (text) => (err += text) });
  return err;
}

test("a run that still collected leaves no page", async () => {
  await writeFakeRun(dir, { files: { "collecting.jsonl": "" } });
  expect(await leave()).toBe("");
  expect(existsSync(join(dir, "report.html"))).toBe(false);
});

test("a page that cannot be written is a warning, and the run goes on", async () => {
  await writeFakeRun(dir, { files: { "failures.jsonl": "" } });
  await mkdir(join(dir, "report.html", "taken"), { recursive: true });
  expect(await leave()).toMatch(/^warning: no report\.html: .*report\.html: cannot be written: .*\n$/);
  await rm(join(dir, "report.html"), { recursive: true });
  expect(await leave()).toBe("");
  expect(existsSync(join(dir, "report.html"))).toBe(true);
});
