/**
 * Does the event loop stay free while the engine trains? Largest gap between timer ticks on the main thread during
 * training steps of a 5 M-parameter model. Run: `npx tsx bench/event-loop.ts`.
 */
import { letHeapsGrow } from "../src/core/heap-growth.ts";
import { openBenchModel, trainingStep } from "../src/engine/local/bench.ts";

const STEPS = 5;

letHeapsGrow();

const engine = await openBenchModel("M", { reference: false });
await trainingStep(engine);

const gaps: number[] = [];
let last = performance.now();
const timer = setInterval(() => {
  const now = performance.now();
  gaps.push(now - last);
  last = now;
}, 1);
const start = performance.now();
for (let step = 0; step < STEPS; step++) {
  await trainingStep(engine);
}
const stepMs = (performance.now() - start) / STEPS;
clearInterval(timer);
await engine.close();
console.log(
  `step ${stepMs.toFixed(0)} ms; ${gaps.length} ticks; largest gap ${Math.max(...gaps).toFixed(1)} ms`,
);
