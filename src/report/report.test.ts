import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runFolderAt } from "../store/run-folder.ts";
import { attemptsTrace, codePoints, HOSTILE, reflectionsTrace, writeFakeRun } from "./fake-run.test.kit.ts";
import { type EpisodeChoice, renderReportPage, tracedEpisodes, writeReport } from "./index.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "mulligan-report-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const fake = (name: string, run: Parameters<typeof writeFakeRun>[1]) => writeFakeRun(join(root, name), run);
const pageOf = (dir: string) => renderReportPage(runFolderAt(dir), { tokenizer: codePoints });
const metricsOf = (steps: number) => Array.from({ length: steps }, (_, i) => ({ step: i + 1, reward: 0.5 }));

describe("writeReport", () => {
  test("draws a run that has not made a step", async () => {
    const path = await writeReport(await fake("empty", {}));
    const page = await readFile(path, "utf8");
    expect(page).toContain("not finished: 0 of 60 steps");
    expect(page).toContain("No training step has been made yet.");
    expect(page).toContain("No training step has been traced.");
    expect(page).toContain("the model&#39;s tokenizer was not found");
  });

  test("is the same page every time", async () => {
    const dir = await fake("same", { metrics: metricsOf(3), traces: [reflectionsTrace(1, "sf")] });
    expect(await pageOf(dir)).toBe(await pageOf(dir));
  });

  test("shows warnings with their hints, and says when there was none", async () => {
    const warnings = [
      { step: 2, kind: "dead_groups", message: "nothing to learn from", hint: "easier problems" },
    ];
    const page = await pageOf(await fake("warned", { metrics: metricsOf(2), warnings }));
    expect(page).toMatch(
      /step 2 · dead groups<\/span> <bdi>nothing to learn from<\/bdi>[\s\S]*easier problems/,
    );
    expect(await pageOf(await fake("calm", { metrics: metricsOf(2) }))).toContain("<p>None.</p>");
  });

  test("shares out the time of the steps by phase", async () => {
    const timings = [1, 2].map((step) => ({
      step,
      ...{ step_time: 4, "time/sample": 2, "time/verify": 0, "time/train": 1, "time/other": 1 },
    }));
    const page = await pageOf(await fake("timed", { timings }));
    expect(page).toContain("Of 2 training steps: 8.0 s.");
    expect(page).toMatch(/sample<\/th><td>4\.0<\/td><td>50\.0 %<\/td><td>2\.00 s<\/td>/);
  });

  test.each([1e307, Number.MAX_VALUE])("shares out times that no clock told: %d", async (seconds) => {
    const timings = [1, 2].map((step) => ({ step, step_time: seconds, "time/train": seconds }));
    const page = await pageOf(await fake(`clock-${seconds}`, { timings }));
    expect(page).not.toMatch(/<(?:path|rect|circle|text)[^>]*(?:NaN|Infinity)/);
  });

  test("draws the seconds of 20,000 steps as other long curves, and names some of as many dropped updates", async () => {
    const timings = Array.from({ length: 20_000 }, (_, i) => ({ step: i + 1, step_time: 1 + (i % 3) }));
    const dir = await fake("long", { timings });
    await mkdir(join(dir, "skipped"));
    for (let step = 1; step <= 60; step++) await writeFile(join(dir, "skipped", `step-${step}.json`), "{}");
    const page = await pageOf(dir);
    expect(page).toMatch(/Seconds of a step[\s\S]*Band: smallest to largest of neighbouring steps/);
    expect(Buffer.byteLength(page)).toBeLessThan(1e6);
    expect(page).toContain("49, 50 and 10 more; their batches");
  });

  test("names a file that is nested deeper than anybody walks", async () => {
    const nested = `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`;
    const page = await pageOf(await fake("nested", { files: { "environment.json": nested } }));
    expect(page).toContain("Damaged: environment.json: ");
  });

  test("lists settings and environment by dotted path", async () => {
    const environment = {
      starts: [
        { node: "v20", cpu: { cores: 2 } },
        { node: "v24", command: ["train", "-v"] },
      ],
    };
    const files = { "environment.json": JSON.stringify(environment) };
    const page = await pageOf(await fake("environment", { config: { taskOptions: {} }, files }));
    const rows = [...page.matchAll(/<th scope="row">([^<]+)<\/th><td><bdi>([^<]*)</g)].map((row) =>
      row.slice(1),
    );
    expect(rows).toEqual(
      expect.arrayContaining([
        ["maxSteps", "60"],
        ["eval.bootstrap", "100"],
        ["taskOptions", "{}"],
        ["starts.1.cpu.cores", "2"],
        ["starts.2.node", "v24"],
        ["starts.2.command", "[&quot;train&quot;,&quot;-v&quot;]"],
      ]),
    );
  });

  test("says of how many steps it shows the episodes, and stays below 20 MB", async () => {
    const long = { question: "long ".repeat(3000) };
    const traces = Array.from({ length: 700 }, (_, i) => reflectionsTrace(i + 1, "sf", long));
    const page = await pageOf(await fake("large", { metrics: metricsOf(700), traces }));
    expect(page).toMatch(
      /Training: episodes of \d+ of 700 steps \(the first, the last and evenly spaced ones\)\./,
    );
    expect(Buffer.byteLength(page)).toBeLessThan(20e6);
    expect(Buffer.byteLength(page)).toBeGreaterThan(3e6);
  });

  test("lets nothing in from outside, and no text out of its place", async () => {
    const traces = HOSTILE.map((question, i) => reflectionsTrace(i + 1, "s", { question }));
    const config = { task: HOSTILE[0], model: HOSTILE[1], taskOptions: { [HOSTILE[0]!]: HOSTILE[3] } };
    const warnings = HOSTILE.map((message, step) => ({ step, kind: message, message, hint: message }));
    const page = await pageOf(await fake("hostile", { config, traces, warnings }));
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page.match(/<\/script>/g)).toHaveLength(2);
    expect(page.match(/<img|(?![\n\t])\p{Cc}/u)).toBeNull();
    const [policy] = /content="default[^"]+"/.exec(page.replaceAll("&#39;", "'"))!;
    expect(policy).toMatch(
      /content="default-src 'none'; style-src 'sha256-[\w+/=]+'; script-src 'sha256-[\w+/=]+'/,
    );
    // but for what stands there as text
    expect(page.replaceAll("img src=x", "").match(/https?:|src=|url\(|@import/)).toBeNull();
  });
});

describe("tracedEpisodes", () => {
  async function chosen(dir: string, choice?: EpisodeChoice): Promise<string[]> {
    const found: string[] = [];
    for await (const { trace, member } of tracedEpisodes(runFolderAt(dir), choice)) {
      found.push(`${trace.step}.${member}`);
    }
    return found;
  }

  test("finds episodes by step and by outcome", async () => {
    const leaky = reflectionsTrace(3, "f");
    const episodes = leaky.episodes.map((episode) => ({ ...episode, leaks: true }));
    const traces = [reflectionsTrace(1, "sf"), reflectionsTrace(2, "ff"), { ...leaky, episodes }];
    const dir = await fake("choice", { traces });
    expect(await chosen(dir)).toEqual(["1.0", "1.1", "2.0", "2.1", "3.0"]);
    expect(await chosen(dir, { outcome: "rescued" })).toEqual(["1.0"]);
    expect(await chosen(dir, { outcome: "not-rescued", step: 2 })).toEqual(["2.0", "2.1"]);
    expect(await chosen(dir, { outcome: "dead" })).toEqual(["2.0", "2.1", "3.0"]);
    expect(await chosen(dir, { outcome: "leak" })).toEqual(["3.0"]);
    expect(await chosen(dir, { outcome: "truncated" })).toEqual([]);
  });

  test("counts a solved attempt as rescued where first attempts learn", async () => {
    const dir = await fake("attempts", { traces: [attemptsTrace(1, "sfs")] });
    expect(await chosen(dir, { outcome: "rescued" })).toEqual(["1.0", "1.2"]);
  });
});
