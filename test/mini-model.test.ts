/** The shipped model is what its card says: it fails often, is rescued sometimes, and was never shown a held-out problem. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { summarize } from "../src/evaluate/index.ts";
import { countdownSplit } from "../src/tasks/index.ts";
import { MulliganConfig } from "../src/train/config.ts";
import { evaluate } from "../src/train/evaluations.ts";
import { presetConfig } from "../src/train/presets.ts";
import { modelFolder, openSetup } from "../src/train/setup.ts";

test("fails and is rescued often enough to learn from, before any reinforcement", async () => {
  const config = MulliganConfig.parse({ ...presetConfig("mini"), eval: { validationProblems: 400 } });
  const setup = await openSetup(config, { splits: ["validation"] });
  try {
    const problems = setup.problems.validation;
    expect(problems.every(({ row }) => countdownSplit(row as never) === "validation")).toBe(true);
    const metrics = summarize(await evaluate(setup, problems, { controls: false, signal: undefined }));
    expect(metrics["eval/first_try"]).toBeGreaterThan(0.1);
    expect(metrics["eval/first_try"]).toBeLessThan(0.4);
    expect(metrics["eval/rescue"]).toBeGreaterThan(0.05);
    expect(metrics["eval/leak_rate"]).toBeLessThan(0.02);
  } finally {
    await setup.close();
  }
});

test("has single digits and no token longer than 16 characters", () => {
  const tokenizer = JSON.parse(readFileSync(`${modelFolder("mini")}/tokenizer.json`, "utf8"));
  const tokens = Object.keys(tokenizer.model.vocab);
  expect(tokens.filter((token) => /\d/.test(token) && token.length > 1)).toEqual([]);
  expect(tokens.filter((token) => token.length > 16)).toEqual([]);
  expect(tokens.length).toBeGreaterThan(200);
});
