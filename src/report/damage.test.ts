/** Runs of which something was cut, broken or lost, and folders that are none. */
import { appendFile, mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runFolderAt } from "../store/run-folder.ts";
import { codePoints, reflectionsTrace, writeFakeRun } from "./fake-run.test.kit.ts";
import {
  type Damage,
  missingLines,
  renderReportPage,
  tallyEpisodes,
  tracedEpisodes,
  writeReport,
} from "./index.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "mulligan-damage-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const fake = (name: string, run: Parameters<typeof writeFakeRun>[1]) => writeFakeRun(join(root, name), run);
const metricsOf = (...steps: number[]) => steps.map((step) => ({ step, reward: 0.5, "groups/live": 2 }));
const timingsOf = (...steps: number[]) => steps.map((step) => ({ step, step_time: 1 }));
const tracesOf = (...steps: number[]) => steps.map((step) => reflectionsTrace(step, "sf"));

async function pageAndDamages(dir: string): Promise<{ page: string; damages: Damage[] }> {
  const damages: Damage[] = [];
  const onDamaged = (damage: Damage) => damages.push(damage);
  const page = await renderReportPage(runFolderAt(dir), { tokenizer: codePoints, onDamaged });
  return { page, damages };
}

describe("a damaged run", () => {
  test("says that traces end before metrics do, on the page without a path and elsewhere with a command", async () => {
    const dir = await fake("cut", {
      ...{ metrics: metricsOf(1, 2), timings: timingsOf(1, 2), traces: tracesOf(1, 1, 2) },
      files: { latest: "checkpoint-2\n" },
    });
    await mkdir(join(dir, "checkpoint-1"));
    const { page, damages } = await pageAndDamages(dir);
    const problem = "traces.jsonl: must have every group of the steps up to 2, got 1 of the 2 of step 2";
    expect(page).toContain(`<p class="note">Damaged: ${problem}.</p>`);
    expect(page).toContain("In a terminal mulligan report tells what to do about damage.");
    expect(page).not.toContain(root);
    const hint = expect.stringContaining(`mulligan train --output-dir ${dir} --resume --from checkpoint-1`);
    expect(damages).toEqual([{ problem, hint }]);
    expect(await missingLines(runFolderAt(dir))).toEqual(damages);
  });

  test("says that metrics end before the checkpoint does", async () => {
    const dir = await fake("short", {
      ...{ metrics: metricsOf(1), timings: timingsOf(1, 2, 3), traces: tracesOf(1, 1, 2, 2, 3, 3) },
      files: { latest: "checkpoint-3\n" },
    });
    const { page } = await pageAndDamages(dir);
    expect(page).toContain(
      "Damaged: metrics.jsonl: must have a line for each step up to 3, got none of step 2.",
    );
    expect(page.match(/Damaged: /g)).toHaveLength(1);
  });

  test("leaves a torn last line out without a word, and names what else is damaged and what to do", async () => {
    const dir = await fake("torn", {
      ...{ metrics: metricsOf(1, 2), traces: tracesOf(1, 1, 2, 2) },
      files: { "results.json": "{ torn", "timings.jsonl": '{"step":1,"step_time":1}\n{"step":"two"}\n' },
    });
    await appendFile(join(dir, "metrics.jsonl"), '{"step":3,"rew');
    await appendFile(join(dir, "traces.jsonl"), '{"step":3,"kind":"refl');
    const { page, damages } = await pageAndDamages(dir);
    expect(page).toContain("not finished: 2 of 60 steps");
    expect(page).toContain("Training: episodes of all 2 steps.");
    expect(damages.map(({ problem, hint }) => [problem.replace(/: expected .*/, ""), hint])).toEqual([
      [
        "timings.jsonl: must have a line for each step up to 2, got none of step 2",
        `the run writes it anew when it goes on: mulligan train --output-dir ${dir} --resume`,
      ],
      [
        "timings.jsonl, line 2 and what follows: step: Invalid input",
        `the run writes it anew when it goes on: mulligan train --output-dir ${dir} --resume`,
      ],
      [
        "results.json: not JSON",
        `remove it, and it is written anew: mulligan train --output-dir ${dir} --resume`,
      ],
    ]);
    for (const { problem } of damages) expect(page).toContain(`Damaged: ${problem}.`);
    expect(page).not.toContain(root);
  });

  test("names five of many damaged groups, and shows the episodes of the others", async () => {
    const damaged = tracesOf(1, 1, 1, 1, 1, 1, 1).map((trace) => ({ ...trace, state: "odd" as "live" }));
    const dir = await fake("many", { traces: [...damaged, ...tracesOf(2)] });
    const { page, damages } = await pageAndDamages(dir);
    expect(damages).toHaveLength(6);
    expect(page).toContain("Damaged: traces.jsonl, line 6: state: Invalid");
    expect(page).toContain("Damaged: 2 more places.");
    const found: Damage[] = [];
    let shown = 0;
    for await (const _ of tracedEpisodes(runFolderAt(dir), {}, (damage) => found.push(damage))) shown++;
    expect([shown, found.length, found[0]!.problem]).toEqual([
      2,
      7,
      expect.stringMatching(/^traces\.jsonl, line 2: state: /),
    ]);
  });

  test.each([
    ["cut off", '{"model":', "not JSON"],
    ["another's", '{"model_type":"llama"}', "model: Invalid input: expected string, received undefined"],
  ])(
    "with settings that are %s says where they stand, too; episodes are shown without",
    async (name, text, got) => {
      const dir = await fake(`settings ${name}`, {
        ...{ metrics: metricsOf(1), traces: tracesOf(1, 1) },
        files: { "config.json": text },
      });
      for (const step of [2, 10]) await mkdir(join(dir, `checkpoint-${step}`));
      const message = `config.json: must be the settings of the run in settings ${name}, got ${got}`;
      await expect(writeReport(dir)).rejects.toMatchObject({
        message: join(dir, message),
        hint: expect.stringContaining(
          `out of ${join(dir, "checkpoint-10", "trainer_state.json")}, where it stands as "config"; another run can go on from there: mulligan train --fork '`,
        ),
      });
      const found: Damage[] = [];
      const shown: number[] = [];
      for await (const { member } of tracedEpisodes(runFolderAt(dir), {}, (damage) => found.push(damage)))
        shown.push(member);
      expect([shown, found.map(({ problem }) => problem)]).toEqual([[0, 1, 0, 1], [message]]);
    },
  );

  test("whose settings are damaged before the first checkpoint can only be copied or begun again", async () => {
    const dir = await fake("early", { files: { "failures.jsonl": "" } });
    await truncate(join(dir, "config.json"), 0);
    await expect(writeReport(dir)).rejects.toMatchObject({
      hint: `take it from a copy of the run, or start again: mulligan train --output-dir ${dir} --clean`,
    });
  });
});

describe("a folder that is no run", () => {
  const noRun = "name the folder that --output-dir named; `mulligan train` makes one";
  test("such as none at all, or a model's, is refused", async () => {
    await expect(writeReport(join(root, "nowhere"))).rejects.toMatchObject({
      ...{ code: "data", message: expect.stringMatching(/got no config\.json$/), hint: noRun },
    });
    const model = await fake("model", { files: { "config.json": '{"model_type":"llama"}' } });
    await expect(writeReport(model)).rejects.toMatchObject({
      ...{ message: expect.stringMatching(/got a config\.json that is no run's$/), hint: noRun },
    });
  });

  test("but a part of one is told where the run is, and how a checkpoint's step is shown", async () => {
    const dir = await fake("parts", { metrics: metricsOf(1) });
    for (const name of ["checkpoint-3", "model"]) {
      await mkdir(join(dir, name));
      await writeFile(join(dir, name, "config.json"), '{"model_type":"llama"}');
    }
    await expect(tallyEpisodes(runFolderAt(join(dir, "checkpoint-3")))).rejects.toMatchObject({
      message: `${join(dir, "checkpoint-3")}: must be the folder of a run, got a checkpoint of one`,
      hint: `the run is ${dir}; mulligan inspect ${dir} --step 3 shows that step`,
    });
    await expect(writeReport(join(dir, "model"))).rejects.toMatchObject({
      ...{ message: expect.stringMatching(/got a part of one$/), hint: `the run is ${dir}` },
    });
  });
});
