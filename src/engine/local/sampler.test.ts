/** The sampler against the trainer's plain full forward pass, and against itself in other company. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRng, uniform } from "../../core/rng.ts";
import { createSession } from "../../graph/index.ts";
import type { SampleRequest, SamplingParams } from "../contract.ts";
import { runForward } from "./passes.ts";
import { runSample, type Sampler } from "./sampler.ts";
import { samplingGraph } from "./sampling-graph.ts";
import { tinyWeights } from "./tiny.test.kit.ts";
import { forwardGraph } from "./training-graph.ts";
import { weightFeeds } from "./weights.ts";

const weights = tinyWeights();
const feeds = weightFeeds(weights);
const { vocabSize, contextLength } = weights.config;
const plain: SamplingParams = { maxTokens: 12, temperature: 1, topP: 1, topK: 0, stop: [] };
let sampler: Sampler;

beforeAll(async () => {
  const prefill = await createSession(samplingGraph(weights.config, { cache: false }), { threads: 2 });
  const decode = await createSession(samplingGraph(weights.config, { cache: true }), { threads: 2 });
  sampler = { prefill, decode, weights, feeds };
});
afterAll(async () => {
  await sampler.prefill.release();
  await sampler.decode.release();
});

/** Prompts of 1 to 20 tokens. */
function raggedRequests(count: number): SampleRequest[] {
  return Array.from({ length: count }, (_, i) => {
    const rng = createRng(i);
    const prompt = Array.from({ length: rng.int(1, 20) }, () => rng.int(0, vocabSize - 1));
    return { prompt, seed: 1000 + i };
  });
}

/** ln p of each sampled token by one full forward pass without a cache. */
async function fullLogprobs(
  requests: SampleRequest[],
  samples: { tokens: Int32Array }[],
  temperature: number,
) {
  const session = await createSession(forwardGraph(weights.config), { threads: 2 });
  const data = requests.map(({ prompt }, i) => {
    const all = [...prompt, ...samples[i]!.tokens];
    return { tokens: Int32Array.from(all.slice(0, -1)), targets: Int32Array.from(all.slice(1)) };
  });
  const logprobs = await runForward(session, weights, feeds, data, temperature);
  await session.release();
  return logprobs.map((row, i) => row.slice(requests[i]!.prompt.length - 1));
}

test.each([0.7, 1, 1.3])("log-probabilities at temperature %s equal the trainer's", async (temperature) => {
  const requests = raggedRequests(40);
  const samples = await runSample(sampler, requests, { ...plain, temperature });
  const expected = await fullLogprobs(requests, samples, temperature);
  samples.forEach((sample, i) => {
    expect(sample.logprobs).toHaveLength(12);
    sample.logprobs.forEach((logprob, t) => {
      expect(Math.abs(logprob - expected[i]![t]!)).toBeLessThan(2e-5);
    });
  });
});

test("a sample does not depend on its neighbours", async () => {
  const requests = raggedRequests(256);
  const together = await runSample(sampler, requests, plain);
  let nearBoundary = 0;
  for (const i of [0, 17, 101, 255]) {
    const [alone] = await runSample(sampler, [requests[i]!], plain);
    for (let t = 0; t < plain.maxTokens; t++) {
      if (alone!.tokens[t] !== together[i]!.tokens[t]) {
        // Rounding may move a draw over a boundary that it lies next to; what follows is another text.
        nearBoundary++;
        break;
      }
      expect(Math.abs(alone!.logprobs[t]! - together[i]!.logprobs[t]!)).toBeLessThan(2e-5);
    }
  }
  expect(nearBoundary).toBe(0);
});

test("the same call gives the same bytes; another seed gives another sample", async () => {
  const requests = raggedRequests(8);
  const first = await runSample(sampler, requests, plain);
  expect(await runSample(sampler, requests, plain)).toEqual(first);
  const other = await runSample(
    sampler,
    requests.map((request) => ({ ...request, seed: request.seed + 1 })),
    plain,
  );
  expect(other.map((sample) => sample.tokens)).not.toEqual(first.map((sample) => sample.tokens));
});

test("greedy sampling, top-k 1 and a tiny top-p choose the likeliest token", async () => {
  const requests = raggedRequests(10);
  const greedy = await runSample(sampler, requests, { ...plain, temperature: 0 });
  const topK = await runSample(sampler, requests, { ...plain, topK: 1 });
  const topP = await runSample(sampler, requests, { ...plain, topP: 1e-6 });
  expect(topK.map(({ tokens }) => tokens)).toEqual(greedy.map(({ tokens }) => tokens));
  expect(topP.map(({ tokens }) => tokens)).toEqual(greedy.map(({ tokens }) => tokens));
  for (const { logprobs } of [...greedy, ...topK]) logprobs.forEach((l) => void expect(Math.abs(l)).toBe(0));
});

test("rows end at their own stop token, which is part of the sample, or at the limit", async () => {
  const samples = await runSample(sampler, raggedRequests(60), { ...plain, stop: [3, 4, 5, 6] });
  expect(new Set(samples.map(({ stopReason }) => stopReason))).toEqual(new Set(["stop", "length"]));
  for (const { tokens, stopReason } of samples) {
    const firstStop = tokens.findIndex((token) => token >= 3 && token <= 6);
    if (stopReason === "stop") expect(firstStop).toBe(tokens.length - 1);
    else expect([firstStop, tokens.length]).toEqual([-1, plain.maxTokens]);
  }
});

test("rows that end early change nothing for the others", async () => {
  const requests = raggedRequests(60);
  const all = await runSample(sampler, requests, plain);
  const cut = await runSample(sampler, requests, { ...plain, stop: [3, 4, 5, 6] });
  cut.forEach(({ tokens }, i) => void expect(tokens).toEqual(all[i]!.tokens.slice(0, tokens.length)));
});

describe("the context", () => {
  const promptOf = (length: number) => [{ prompt: new Array<number>(length).fill(2), seed: 1 }];

  test("ends a sample that fills it", async () => {
    const [sample] = await runSample(sampler, promptOf(contextLength - 3), plain);
    expect([sample!.tokens.length, sample!.stopReason]).toEqual([3, "length"]);
  });

  test.each([0, contextLength])("refuses a prompt of %i tokens", async (length) => {
    const attempt = runSample(sampler, promptOf(length), plain);
    await expect(attempt).rejects.toThrow(/prompt 0: must have 1 to 63 tokens/);
  });
});

test("tokens come in their softmax's proportions", async () => {
  const prompt = [5, 6, 7];
  const draws = 4096;
  const requests = Array.from({ length: draws }, (_, i) => ({ prompt, seed: i }));
  const samples = await runSample(sampler, requests, { ...plain, maxTokens: 1 });
  const counts = new Map<number, { count: number; logprob: number }>();
  for (const { tokens, logprobs } of samples) {
    const entry = counts.get(tokens[0]!) ?? { count: 0, logprob: logprobs[0]! };
    counts.set(tokens[0]!, { ...entry, count: entry.count + 1 });
  }
  for (const { count, logprob } of counts.values()) {
    const p = Math.exp(logprob);
    // Five standard deviations of a binomial.
    expect(Math.abs(count / draws - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / draws) + 1e-3);
  }
  expect(uniform(1, 2)).not.toBe(uniform(2, 1));
});
