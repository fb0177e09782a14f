/**
 * Makes the shipped model from nothing: tokenizer, random weights, then supervised training on the synthetic corpus.
 * Seeded, and resumable: run the same command again to go on from its last checkpoint.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Datum } from "../src/core/datum.ts";
import { createLocalEngine } from "../src/engine/index.ts";
import { learningRateAt } from "../src/learn/schedule.ts";
import { parseModelConfig } from "../src/model/config.ts";
import { saveModel } from "../src/model/folder.ts";
import { initParameters, parameterShapes } from "../src/model/parameters.ts";
import { writeJsonAtomic } from "../src/store/run-folder.ts";
import { dialogue, encodeDialogue } from "./corpus.ts";
import { corpusDefaults, FOUNDATION, foundation } from "./dialogue.ts";
import { miniConfig, writeModelCard } from "./mini.ts";
import { writeTokenizer } from "./tokenizer.ts";

const { values: flags } = parseArgs({
  options: {
    out: { type: "string", default: "models/mini" },
    seed: { type: "string", default: "1" },
    steps: { type: "string", default: "4000" },
    batch: { type: "string", default: "128" },
    "learning-rate": { type: "string", default: "2e-3" },
    "save-steps": { type: "string", default: "500" },
  },
});
const out = flags.out;
const seed = Number(flags.seed);
const maxSteps = Number(flags.steps);
const batchSize = Number(flags.batch);
const checkpoint = join(out, "checkpoint");
const progressFile = join(checkpoint, "progress.json");

const resumed = existsSync(progressFile);
if (!resumed) {
  const config = parseModelConfig(miniConfig, "pretrain/mini.ts");
  const parameters = parameterShapes(config);
  await saveModel(out, { config, parameters, flat: initParameters(config, seed) });
  writeTokenizer(out, config.contextLength);
}
const engine = await createLocalEngine(out, { reference: false });
if (resumed) await engine.loadState(join(checkpoint, "state"));
const firstStep = resumed ? (JSON.parse(readFileSync(progressFile, "utf8")).step as number) : 0;
console.log(`${engine.info.parameters} parameters, ${engine.info.threads} threads, from step ${firstStep}`);

const schedule = {
  learningRate: Number(flags["learning-rate"]),
  lrSchedulerType: "cosine",
  warmupSteps: 100,
  maxSteps,
} as const;

let started = performance.now();
let tokens = 0;
let lossSum = 0;
let weightSum = 0;
let batch = batchAt(firstStep);
for (let step = firstStep; step < maxSteps; step++) {
  const { data, weight } = batch;
  const result = engine.forwardBackward(data, { name: "cross_entropy" });
  batch = batchAt(step + 1); // while the engine's thread is busy
  const { metrics } = await result;
  await engine.optimStep({
    learningRate: learningRateAt(step, schedule),
    beta1: 0.9,
    beta2: 0.98,
    eps: 1e-8,
    weightDecay: 0.05,
    gradClipNorm: 1,
  });
  tokens += data.reduce((sum, datum) => sum + datum.tokens.length, 0);
  lossSum += metrics["loss:sum"]! * weight;
  weightSum += weight;
  if ((step + 1) % 100 === 0) {
    const seconds = (performance.now() - started) / 1000;
    const left = ((maxSteps - step - 1) * seconds) / 100 / 60;
    console.log(
      `step ${step + 1}/${maxSteps}  loss ${(lossSum / weightSum).toFixed(4)}  ` +
        `${Math.round(tokens / seconds)} tokens/s  ${left.toFixed(1)} min left`,
    );
    [started, tokens, lossSum, weightSum] = [performance.now(), 0, 0, 0];
  }
  if ((step + 1) % Number(flags["save-steps"]) === 0 && step + 1 < maxSteps) {
    await engine.saveState(join(checkpoint, "state"));
    await writeJsonAtomic(progressFile, { step: step + 1 });
  }
}
await engine.saveWeights(out);
await engine.close();
rmSync(checkpoint, { recursive: true, force: true });
writeModelCard(out, { seed, steps: maxSteps, batchSize });

/** The dialogues of a step; weights are divided by their sum, so that the loss is a mean over weighted tokens. */
function batchAt(step: number): { data: Datum[]; weight: number } {
  const options = step < FOUNDATION * maxSteps ? foundation : corpusDefaults;
  const encoded = Array.from({ length: batchSize }, (_, i) =>
    encodeDialogue(dialogue(seed, step * batchSize + i, options)),
  );
  const weight = encoded.reduce((sum, { weights }) => sum + weights.reduce((a, b) => a + b, 0), 0);
  const data = encoded.map(({ tokens: ids, weights }) => ({
    tokens: ids.slice(0, -1),
    targets: ids.slice(1),
    weights: weights.slice(1).map((w) => w / weight),
  }));
  return { data, weight };
}
