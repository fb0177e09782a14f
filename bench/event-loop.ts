/**
 * Does the event loop stay free while the engine trains? Largest gap between timer ticks on the main thread during
 * training steps of a 5 M-parameter model. Run: `npx tsx bench/event-loop.ts`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalEngine } from "../src/engine/index.ts";
import { benchData, benchModel } from "../src/engine/local/bench.ts";
import { saveModel } from "../src/model/folder.ts";

const STEPS = 5;

const folder = await mkdtemp(join(tmpdir(), "mulligan-bench-"));
await saveModel(folder, benchModel());
const engine = await createLocalEngine(folder, { reference: false });
const data = benchData();
await engine.forwardBackward(data, { name: "cross_entropy" });

const gaps: number[] = [];
let last = performance.now();
const timer = setInterval(() => {
  const now = performance.now();
  gaps.push(now - last);
  last = now;
}, 1);
const start = performance.now();
for (let step = 0; step < STEPS; step++) {
  await engine.forwardBackward(data, { name: "cross_entropy" });
  await engine.optimStep({
    learningRate: 1e-4,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    weightDecay: 0,
    gradClipNorm: 1,
  });
}
const stepMs = (performance.now() - start) / STEPS;
clearInterval(timer);
await engine.close();
await rm(folder, { recursive: true });
console.log(
  `step ${stepMs.toFixed(0)} ms; ${gaps.length} ticks; largest gap ${Math.max(...gaps).toFixed(1)} ms`,
);
