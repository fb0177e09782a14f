/**
 * Is sampling faster than at another commit? Reflections and their retries by one replica with one thread, here and in a
 * checkout of that commit, in turns in one process: a machine's slow phases then hit both. One JSON line.
 *
 * npx tsx bench/sampling-in-turns.ts --before ../before --shape S --rounds 12 [--failures 16 --G 8 --prefix 45 ...]
 */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { median } from "../src/core/median.ts";
import { createRng } from "../src/core/rng.ts";
import type { Engine, SampleRequest } from "../src/engine/contract.ts";
import { type BenchShape, openBenchModel } from "../src/engine/local/bench.ts";
import { argument } from "./common.ts";

const shape = argument("shape", "S") as BenchShape;
const rounds = Number(argument("rounds", "12"));
/** By default half of the game (rrr-step.ts), what one of two replicas computes. */
const lengths = { failures: 16, G: 8, prefix: 45, reflection: 20, turn: 8, retry: 12 };
for (const name of Object.keys(lengths) as (keyof typeof lengths)[]) {
  lengths[name] = Number(argument(name, String(lengths[name])));
}
const { failures, G, prefix, reflection, turn, retry } = lengths;

const options = { threads: 1, reference: false };
const before = resolve(argument("before", "../before"));
const there = await import(pathToFileURL(join(before, "src/engine/local/bench.ts")).href);
const engines: Engine[] = [await there.openBenchModel(shape, options), await openBenchModel(shape, options)];

/** Milliseconds of both calls. */
async function sample(engine: Engine, round: number): Promise<{ reflections: number; retries: number }> {
  const rng = createRng(round);
  const text = (length: number) => Array.from({ length }, () => rng.int(0, engine.info.vocabSize - 1));
  const prompts = Array.from({ length: failures }, () => text(prefix)).flatMap((prompt) =>
    Array<number[]>(G).fill(prompt),
  );
  const timed = async (requests: readonly SampleRequest[], maxTokens: number) => {
    const start = performance.now();
    const samples = await engine.sample(requests, { maxTokens, temperature: 1, topP: 1, topK: 0, stop: [] });
    return { samples, ms: performance.now() - start };
  };
  const first = await timed(
    prompts.map((prompt, seed) => ({ prompt, seed })),
    reflection,
  );
  const question = text(turn);
  const second = await timed(
    prompts.map((prompt, i) => ({ prompt: [...prompt, ...first.samples[i]!.tokens, ...question], seed: i })),
    retry,
  );
  await engine.forget?.();
  return { reflections: first.ms, retries: second.ms };
}

const times = engines.map(() => ({ reflections: [] as number[], retries: [] as number[] }));
for (let round = -2; round < rounds; round++) {
  for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
    const { reflections, retries } = await sample(engines[i]!, round + 2);
    if (round < 0) continue;
    times[i]!.reflections.push(reflections);
    times[i]!.retries.push(retries);
  }
}
for (const engine of engines) await engine.close();

/** Quartiles too, of the ratios of the same round. */
const compare = (kind: "reflections" | "retries") => {
  const [old, now] = times.map((time) => time[kind]) as [number[], number[]];
  const ratios = now.map((ms, round) => ms / old[round]!).sort((a, b) => a - b);
  const quantile = (share: number) => ratios[Math.floor(share * (ratios.length - 1))]!;
  return {
    before_ms: median(old),
    now_ms: median(now),
    ratio: median(ratios),
    quartiles: [quantile(0.25), quantile(0.75)],
  };
};
console.log(
  JSON.stringify({
    bench: "sampling-in-turns",
    shape,
    ...lengths,
    rounds,
    reflections: compare("reflections"),
    retries: compare("retries"),
  }),
);
