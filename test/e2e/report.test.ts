/**
 * Somebody opens report.html in a browser: Debian's Chromium, driven by playwright-core, which brings none of its own.
 * Without a Chromium these tests are skipped: `apt-get install chromium`, or name one in CHROMIUM.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  attemptsTrace,
  codePoints,
  HOSTILE,
  reflectionsTrace,
  utterance,
  writeFakeRun,
} from "../../src/report/fake-run.test.kit.ts";
import { writeReport } from "../../src/report/index.ts";
import { makeFolder, makeParityTask, makeTinyModel, run, runArgv, tiny } from "./tiny.test.kit.ts";

const executablePath = [
  process.env.CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => existsSync(path));

let folder: string;
let remove: () => Promise<void>;
let output: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  const model = await makeTinyModel(join(folder, "model"));
  output = join(folder, "run");
  const task = { "--task": await makeParityTask(folder), "--task-options": "{}" };
  const { code } = await run("train", {
    ...{ ...tiny, ...task, "--model": model, "--output-dir": output },
    ...{ "--num-generations": 4, "--max-steps": 3 },
  });
  expect(code).toBe(0);
}, 120_000);
afterAll(() => remove());

describe("from the command line", () => {
  test("mulligan report makes the same page again", async () => {
    const left = await readFile(join(output, "report.html"), "utf8");
    const { code, out } = await runArgv(["report", output]);
    expect({ code, out }).toEqual({ code: 0, out: `${join(output, "report.html")}\n` });
    expect(await readFile(join(output, "report.html"), "utf8")).toBe(left);
  });

  test("mulligan inspect shows episodes, as many as asked for", async () => {
    const { code, out, err } = await runArgv(["inspect", output, "--step", "2", "--limit", "2"]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^step 2, \S+, 1 of 4, [\w ()]+, advantage [-+.\d]+\n {3}task {9}copy: \d+\n {3}attempt [\s\S]*\n {3}verdict {6}failed\n {3}reflection [\s\S]*\n {3}retry [\s\S]*\n {3}verdict {6}(solved|failed)\n\nstep 2, \S+, 2 of 4/,
    );
    expect(out).not.toContain("\u001b");
    expect(err).toBe("there are more; --limit 4 shows twice as many\n");
  });

  test("and as JSON, with every token and nothing that steers a terminal", async () => {
    const question = "\u001b[2J\u009b1mhidden";
    const dir = await writeFakeRun(join(folder, "controls"), {
      traces: [reflectionsTrace(1, "sf", { question })],
    });
    const { out } = await runArgv(["inspect", dir, "--outcome", "rescued", "--json"]);
    expect(out).not.toMatch(/(?!\n)\p{Cc}/u);
    expect(JSON.parse(out)).toMatchObject({
      ...{ step: 1, question, attempt: utterance("wrong") },
      episode: { reflection: utterance("think 0"), advantage: 1.5 },
    });
    expect((await runArgv(["inspect", dir])).out).toContain("task         \uFFFD[2J\uFFFD1mhidden\n");
  });

  test.each([
    [["inspect", "/nowhere"], /^error: \/nowhere: must be the folder of a run, got no config\.json\nhint: /],
    [["report", "/nowhere"], /^error: \/nowhere: must be the folder of a run, got no config\.json\nhint: /],
    [["inspect", "RUN", "--step", "-1"], /^error: step: must be .* at least 1, got -1\nhint: .*--step 5\n$/],
    [["inspect", "RUN", "--limit", "0"], /^error: limit: must be .* at least 1, got 0\nhint: .*--limit 5\n$/],
    [
      ["inspect", "RUN/checkpoint-3"],
      /^error: .*: must be the folder of a run, got a checkpoint of one\nhint: .*mulligan inspect \S*run --step 3 /,
    ],
    [["inspect", "RUN", "--outcome", "good"], /good.*Allowed choices are rescued, not-rescued/],
  ])("%j tells the mistake", async (argv, message) => {
    const { code, err } = await runArgv(argv.map((arg) => arg.replace("RUN", output)));
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});

describe("mulligan inspect, where no episode is as asked for,", () => {
  const say = async (...argv: string[]) => {
    const { code, out, err } = await runArgv(["inspect", ...argv]);
    expect([code, out]).toEqual([0, ""]);
    return err;
  };

  test("says how many there are, of which steps and outcomes", async () => {
    expect(await say(output, "--step", "99")).toBe("no episodes of step 99: there are 36, of steps 1 to 3\n");
    const dir = await writeFakeRun(join(folder, "kinds"), {
      traces: [reflectionsTrace(1, "sfs"), reflectionsTrace(2, "ff")],
    });
    expect(await say(dir, "--outcome", "leak", "--json")).toBe(
      "no episodes are leak: there are 5, by outcome rescued 2, not-rescued 3, dead 2\n",
    );
    expect(await say(dir, "--outcome", "rescued", "--step", "2")).toBe(
      "no episodes of step 2 are rescued: there are 2, by outcome not-rescued 2, dead 2\n",
    );
    const one = await writeFakeRun(join(folder, "one"), { traces: [reflectionsTrace(4, "s")] });
    expect(await say(one, "--step", "1")).toBe("no episodes of step 1: there are 1, all of step 4\n");
  });

  test("and of a run without a step that there are none yet", async () => {
    const dir = await writeFakeRun(join(folder, "begun"), {});
    expect(await say(dir)).toBe("no episodes: none stands in the run's traces.jsonl\n");
  });
});

const NEEDS = "report.html in Chromium";
describe.skipIf(!executablePath)(
  executablePath ? NEEDS : `${NEEDS}: SKIPPED, no Chromium found (apt-get install chromium, or set CHROMIUM)`,
  { timeout: 90_000 }, // of a busy machine
  () => {
    let browser: Browser;
    beforeAll(async () => {
      // root has no sandbox, and the page is ours
      browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
    });
    afterAll(() => browser.close());

    /** What a page asked for or complained of is collected, to be empty. */
    async function open(path: string, options: BrowserContextOptions = {}) {
      const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
      const page = await context.newPage();
      const trouble: string[] = [];
      page.on("console", (message) => trouble.push(message.text()));
      page.on("pageerror", (error) => trouble.push(error.message));
      const url = pathToFileURL(path).href;
      page.on("request", (request) => request.url() !== url && trouble.push(request.url()));
      await page.goto(url);
      return { page, trouble, close: () => context.close() };
    }
    const fitsWidth = (page: Page) =>
      page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth");
    /** By axe-core; in a second scheme only what a scheme can change. */
    async function violations(page: Page, ...rules: string[]): Promise<string[]> {
      await page.evaluate(axe.source);
      const options = rules.length > 0 ? { runOnly: rules } : {};
      const found = (await page.evaluate(`axe.run(${JSON.stringify(options)})`)) as axe.AxeResults;
      return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
    }

    test.each(["light", "dark"] as const)(
      "opens in %s without a request, a complaint or a barrier",
      async (colorScheme) => {
        const { page, trouble, close } = await open(join(output, "report.html"), { colorScheme });
        expect(await page.title()).toBe("parity · run · Mulligan");
        expect(await page.locator("h2").allTextContents()).toEqual([
          "Results",
          "Warnings",
          "Curves",
          "Episodes",
          "Time",
          "Settings",
        ]);
        expect(await page.locator("h3").allTextContents()).toEqual(
          expect.arrayContaining(["The paper's four columns: 6 problems", "Validation: tries", "Loss"]),
        );
        const background = await page.evaluate("getComputedStyle(document.body).backgroundColor");
        expect(background).toBe(colorScheme === "light" ? "rgb(251, 251, 250)" : "rgb(19, 20, 22)");
        const rules = colorScheme === "dark" ? ["color-contrast"] : [];
        expect(await violations(page, ...rules)).toEqual([]);
        expect(trouble).toEqual([]);
        await close();
      },
    );

    test("is filtered and read by keyboard alone", async () => {
      const { page, trouble, close } = await open(join(output, "report.html"));
      const count = () => page.locator("#count").textContent();
      const title = () => page.locator("#detail h3").textContent();
      expect(await count()).toBe("36 of 36 episodes."); // 3 steps of 3 groups of 4
      expect(await title()).toMatch(/^Step 1, failure/);

      await page.focus("#step");
      await page.keyboard.press("2");
      expect(await count()).toBe("12 of 36 episodes.");
      expect(await title()).toMatch(/^Step 2, failure/);
      await page.focus("#outcome");
      await page.keyboard.press("ArrowDown");
      const rescued = Number((await page.locator("#outcome option:checked").textContent())!.match(/\d+/)![0]);
      expect(rescued).toBeGreaterThan(0);
      expect(await page.locator("#list .mark").allTextContents()).toEqual(
        Array.from({ length: Number((await count())!.split(" ")[0]) }, () => "✓"),
      );
      await page.keyboard.press("Tab");
      await page.keyboard.type("no such words");
      expect(await count()).toBe("0 of 36 episodes.");
      expect(await page.locator("#detail").textContent()).toContain("No episode is like this");

      await page.reload();
      const current = () => page.locator('#list [aria-current="true"]').evaluateAll((all) => all.length);
      await page.keyboard.press("j");
      await page.keyboard.press("j");
      await page.keyboard.press("k");
      expect(await page.locator('#list li:nth-child(2) [aria-current="true"]').count()).toBe(1);
      expect(await current()).toBe(1);
      await page.locator("#detail .text[tabindex]").first().focus();
      await page.keyboard.press("ArrowRight");
      expect(await page.locator(".token-readout").first().textContent()).toMatch(
        /^".+" · log-probability -\d+\.\d{3} \([\d.]+ %\)$/,
      );
      expect(trouble).toEqual([]);
      await close();
    });

    test("marks learnt tokens by sign and strength, and shows all of a group", async () => {
      const { page, close } = await open(
        await writeReport(
          await writeFakeRun(join(folder, "signs"), { traces: [reflectionsTrace(1, "fsf")] }),
          { tokenizer: codePoints },
        ),
      );
      expect(await page.locator("#detail .token").first().getAttribute("class")).toBe("token minus strong2");
      await page.selectOption("#outcome", "solved");
      expect(await page.locator("#detail .token").first().getAttribute("class")).toBe("token plus strong3");
      expect(await page.locator("#detail h4", { hasText: "Reflection" }).textContent()).toContain("▲ +1.50");
      // another member of the group, which the filter hides in the list
      await page.locator(".siblings button").nth(2).click();
      expect(await page.locator("#detail .text").nth(2).textContent()).toBe("think 2");
      await close();
    });

    test("fits a phone, whatever stands in it", async () => {
      const dir = await writeFakeRun(join(folder, "hostile"), {
        config: { task: HOSTILE[0], model: HOSTILE[5], taskOptions: { [HOSTILE[0]!]: HOSTILE[5] } },
        metrics: [1, 2, 3].map((step) => ({ step, reward: step === 2 ? null : 0.5, loss: null, kl: 1e-9 })),
        warnings: HOSTILE.map((text, step) => ({ step, kind: text, message: text, hint: text })),
        traces: HOSTILE.map((text, i) =>
          reflectionsTrace(i + 1, "sf", {
            ...{ question: text, failureId: text, attempt: utterance(text) },
            verdict: { kind: "failed", feedback: text },
            episodes: reflectionsTrace(1, "s").episodes.map((episode) => ({
              ...episode,
              reflection: utterance(text.slice(0, 500), true),
              advantage: null,
            })),
          }),
        ),
      });
      const path = await writeReport(dir, { tokenizer: codePoints });
      const { page, trouble, close } = await open(path, { viewport: { width: 360, height: 740 } });
      for (const text of HOSTILE) {
        expect(await fitsWidth(page)).toBe(true);
        const shown = await page.locator("#detail .text").first().textContent();
        const printed = text.replaceAll(/(?![\n\t])\p{Cc}/gu, "\uFFFD");
        if (text === "") expect(shown).toBe("(nothing)");
        else expect(shown!.slice(0, 20_000)).toBe(printed.slice(0, 20_000));
        await page.keyboard.press("j");
      }
      expect(await page.title()).not.toBe("taken");
      expect(await violations(page)).toEqual([]);
      expect(trouble).toEqual([]);
      await close();

      const real = await open(join(output, "report.html"), { viewport: { width: 360, height: 740 } });
      expect(await fitsWidth(real.page)).toBe(true);
      for (const link of await real.page.locator("nav a").all()) {
        const box = (await link.boundingBox())!;
        expect(box.x).toBeGreaterThanOrEqual(0);
        expect(box.x + box.width).toBeLessThanOrEqual(360);
      }
      await real.close();
    });

    test("shows attempts where these learn, and a run that has not begun", async () => {
      const answer = await writeFakeRun(join(folder, "answer"), {
        config: { learnFrom: "answer" },
        traces: [attemptsTrace(1, "sf")],
      });
      const learnt = await open(await writeReport(answer, { tokenizer: codePoints }));
      expect(await learnt.page.locator("#outcome option").allTextContents()).toEqual([
        "any (2)",
        "solved (1)",
        "not solved (1)",
      ]);
      expect(await learnt.page.locator("#detail h4").allTextContents()).toEqual([
        expect.stringContaining("Task"),
        expect.stringMatching(/^Attempt✓ solvedadvantage ▲ \+1\.00/),
        "The group",
      ]);
      const empty = await open(await writeReport(await writeFakeRun(join(folder, "empty"), {})));
      expect(await empty.page.locator("#episodes").textContent()).toContain(
        "No training step has been traced.",
      );
      expect([...learnt.trouble, ...empty.trouble]).toEqual([]);
      await Promise.all([learnt.close(), empty.close()]);
    });
  },
);
