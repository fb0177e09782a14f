import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type RunFolder, runFolderAt } from "../../store/run-folder.ts";
import { createExperimentView } from "./experiment-view.ts";
import { listWarnings } from "./warnings-view.ts";

let folder: RunFolder;
beforeEach(async () => {
  folder = runFolderAt(await mkdtemp(join(tmpdir(), "mulligan-warnings-")));
});
afterEach(() => rm(folder.dir, { recursive: true }));

async function listed(): Promise<string> {
  let written = "";
  await listWarnings(folder, { write: (text) => (written += text) });
  return written;
}

const line = (step: number, kind: string, message: string) =>
  `${JSON.stringify({ step, kind, message, hint: "change it" })}\n`;

test("a warning is shown when it comes, with what to change; nothing in it steers the terminal", () => {
  let written = "";
  const view = createExperimentView({ write: (text) => (written += text) }, 9);
  view.show({ type: "warning", step: 3, kind: "leaks", message: "so \u001b[2J many", hint: "change it" });
  expect(written).toBe("warning, step 3: so \uFFFD[2J many\n  change it\n");
});

test("at the end each kind is listed once, with its first message and how often it came again", async () => {
  const warnings = [line(4, "leaks", "many"), line(5, "skipped_step", "NaN"), line(9, "leaks", "more")];
  await writeFile(folder.warnings, warnings.join(""));
  expect(await listed()).toBe(
    "warnings of this run (docs/guide/when-it-does-not-learn.md):\n" +
      "  step 4, leaks: many (once more at step 9)\n" +
      "  step 5, skipped_step: NaN\n",
  );
});

test("nothing is listed where there is nothing, and damage does not hide how the run ended", async () => {
  expect(await listed()).toBe("");
  await writeFile(folder.warnings, "");
  expect(await listed()).toBe("");
  await writeFile(folder.warnings, `${line(4, "leaks", "many")}{"step":5,"ki`);
  expect(await listed()).toBe("");
  await writeFile(folder.warnings, `${line(4, "leaks", "many")}{"step":5}\n`);
  expect(await listed()).toContain("step 4, leaks: many\n");
});
