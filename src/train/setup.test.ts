import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { COMMIT, fakeHub } from "../hub/fake-hub.test.kit.ts";
import { MulliganConfig } from "./config.ts";
import { type HubEvent, openSetup, prepareSetup } from "./setup.ts";

test("one thread per core becomes the number that a run writes down and goes on with", async () => {
  for (const [asked, used] of [
    [0, availableParallelism()],
    [3, 3],
  ] as const) {
    const settings = MulliganConfig.parse({ model: "mini", task: "countdown", threads: asked });
    const setup = await openSetup(settings, { splits: [] });
    expect(setup.config.threads).toBe(used);
    expect(setup.policy.engine.info.threads).toBe(used);
    await setup.close();
  }
});

test("splits that have fewer problems than asked for are named, and what they have is used", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mulligan-setup-"));
  const task = join(folder, "task.ts");
  writeFileSync(
    task,
    `import { defineTask } from "mulligan/tasks";
     const rows = (count: number) => Array.from({ length: count }, (_, i) => "copy: " + i);
     export default defineTask({ rows: { train: rows(5), validation: rows(3), test: rows(4) }, prompt: (row) => row,
       reflectionPrompt: "why", verify: () => true });`,
  );
  const evaluation = { validationProblems: 3, testProblems: 1000 };
  const settings = MulliganConfig.parse({
    ...{ model: "mini", task, collect: { maxProblems: 6 }, eval: evaluation },
  });
  const warnings: string[] = [];
  const prepared = await prepareSetup(settings, { onWarning: (message) => warnings.push(message) });
  expect(warnings).toEqual([
    "the task has fewer problems than asked for: 6 train problems, got 5; 1000 test problems, got 4",
  ]);
  expect(prepared.problems.test).toHaveLength(4);
  await prepared.close();
  rmSync(folder, { recursive: true });
});

test("chatTemplateKwargs reach the model's chat template", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mulligan-setup-"));
  cpSync("models/mini", folder, { recursive: true });
  const template = "{{ raise_exception('think?') if enable_thinking is not defined }}";
  writeFileSync(
    join(folder, "chat_template.jinja"),
    `${template}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}`,
  );
  const settings = MulliganConfig.parse({ model: folder, threads: 1 });
  await expect(openSetup(settings, { splits: [] })).rejects.toThrow(/think\?/);
  const chatTemplateKwargs = { enable_thinking: false };
  await (await openSetup({ ...settings, chatTemplateKwargs }, { splits: [] })).close();
  rmSync(folder, { recursive: true });
});

describe("a model by its name on the hub", () => {
  const files = Object.fromEntries(
    readdirSync("models/mini").map((name) => [name, readFileSync(join("models/mini", name))]),
  );

  /** Runs `work` with these environment variables, in a folder of its own. */
  async function inFolder(
    env: Record<string, string>,
    work: (folder: string) => Promise<void>,
  ): Promise<void> {
    const [before, cwd] = [{ ...process.env }, process.cwd()];
    const folder = mkdtempSync(join(tmpdir(), "mulligan-setup-"));
    Object.assign(process.env, { ...env, HF_HOME: folder });
    process.chdir(folder);
    try {
      await work(folder);
    } finally {
      process.chdir(cwd);
      process.env = before;
      rmSync(folder, { recursive: true });
    }
  }

  test("is fetched, and written down with its commit, which needs no network again", async () => {
    const hub = await fakeHub({ "org/mini": { files } });
    await inFolder({ HF_ENDPOINT: hub.endpoint }, async (folder) => {
      const events: HubEvent[] = [];
      const settings = MulliganConfig.parse({ model: "org/mini", threads: 1 });
      const first = await openSetup(settings, { splits: [], onHubEvent: (event) => events.push(event) });
      await first.close();
      expect(first.config.model).toBe(`org/mini@${COMMIT}`);
      expect(first.model).toBe(join(folder, "hub", "models--org--mini", "snapshots", COMMIT));
      expect(first.policy.engine.info.parameters).toBeGreaterThan(100_000);
      expect(events.at(-1)?.type).toBe("downloading");
      await hub.close();
      const again = await openSetup(first.config, { splits: [] });
      await again.close();
      expect(again.config).toEqual(first.config);
    });
  });

  test("lends rows to a task, and the commit of its data set is written down too", async () => {
    const rows = { "train.jsonl": Buffer.from('{"question": "1+1?", "answer": "#### 2"}\n') };
    const hub = await fakeHub({ "datasets/org/sums": { files: rows } });
    await inFolder({ HF_ENDPOINT: hub.endpoint }, async (folder) => {
      const task = join(folder, "task.ts");
      writeFileSync(
        task,
        `import { defineTask } from "mulligan";
         const rows = "hf:org/sums";
         export default defineTask({ rows: { train: rows, validation: rows, test: rows }, reflectionPrompt: "why?",
           plainRetryPrompt: "again", prompt: (row) => row.question, verify: () => true });`,
      );
      const settings = MulliganConfig.parse({ model: "mini", threads: 1, task });
      const first = await openSetup(settings, { splits: ["test"] });
      await first.close();
      expect(first.config.datasetRevisions).toEqual({ "org/sums@main": COMMIT });
      await hub.close();
      const again = await openSetup(first.config, { splits: ["test"] });
      await again.close();
      expect(again.config).toEqual(first.config);
      expect(again.problems).toEqual(first.problems);
    });
  });

  test("of an architecture that is not supported is refused before its weights are fetched", async () => {
    const config = Buffer.from(
      JSON.stringify({ ...JSON.parse(String(files["config.json"])), model_type: "rwkv" }),
    );
    const hub = await fakeHub({ "org/other": { files: { ...files, "config.json": config } } });
    await inFolder({ HF_ENDPOINT: hub.endpoint }, async () => {
      const settings = MulliganConfig.parse({ model: "org/other", threads: 1 });
      await expect(openSetup(settings, { splits: [] })).rejects.toMatchObject({ code: "model" });
      expect(hub.requests.filter((line) => line.includes("safetensors"))).toEqual([]);
    });
    await hub.close();
  });

  test("is a folder where there is one of that name, good or bad", async () => {
    await inFolder({ HF_HUB_OFFLINE: "1" }, async (folder) => {
      const settings = MulliganConfig.parse({ model: "org/mini", threads: 1 });
      await expect(openSetup(settings, { splits: [] })).rejects.toMatchObject({ code: "hub" });
      mkdirSync(join(folder, "org", "mini"), { recursive: true });
      await expect(openSetup(settings, { splits: [] })).rejects.toMatchObject({ code: "checkpoint" });
      for (const [name, data] of Object.entries(files))
        writeFileSync(join(folder, "org", "mini", name), data);
      const setup = await openSetup(settings, { splits: [] });
      await setup.close();
      expect([setup.model, setup.config.model]).toEqual([join(folder, "org", "mini"), "org/mini"]);
    });
  });
});
