/** The sampler against the trainer's plain full forward pass, and against itself in other company. */
import { afterAll, describe, expect, test, vi } from "vitest";
import { createRng, uniform } from "../../../core/rng.ts";
import { createSession, type Session } from "../../../graph/index.ts";
import { fuseTensors } from "../../../model/tensors.ts";
import type { SampleRequest, SamplingParams } from "../../contract.ts";
import { createCore } from "../core.ts";
import { familyFields, roughWeights, tinyWeights } from "../tiny.test.kit.ts";
import { forwardOf, releaseSessions } from "../training/passes.test.kit.ts";
import { type Weights, weightFeeds } from "../weights.ts";
import { createKvStore } from "./kv-store.ts";
import { createMemoryPool } from "./memory-pool.ts";
import type { Sampler } from "./prefill.ts";
import { runSample } from "./sampler.ts";
import { extendGraph, prefillGraph, settleGraph, stepGraph } from "./sampling-graph.ts";

const weights = tinyWeights();
const { vocabSize, contextLength } = weights.config;
const plain: SamplingParams = { maxTokens: 12, temperature: 1, topP: 1, topK: 0, stop: [] };

const sessions = new Map<string, Promise<Session>>();
afterAll(async () => {
  for (const session of sessions.values()) await (await session).release();
  await releaseSessions();
});

/** A sampler that remembers nothing yet. */
function createSampler(storeBytes?: number, of: Weights = weights): Sampler {
  const { config } = of;
  const session = (name: string, build: () => ReturnType<typeof prefillGraph>) => {
    const key = `${config.family} ${config.vocabSize} ${name}`;
    const known = sessions.get(key) ?? createSession(build(), { threads: 2 });
    sessions.set(key, known);
    return known;
  };
  const memory = createMemoryPool();
  return {
    weights: of,
    feeds: weightFeeds(fuseTensors(of.parameters), of.flat),
    store: createKvStore(config, memory, storeBytes),
    memory,
    prefill: (levels) => session(`prefill ${levels}`, () => prefillGraph(config, levels)),
    extend: ({ shared }) => session(`extend, shared ${shared}`, () => extendGraph(config, { shared })),
    step: ({ shared, past, isFew }) =>
      session(`step, shared ${shared}, past ${past}, few ${isFew}`, () =>
        stepGraph(config, { shared, past, isFew }),
      ),
    settle: ({ isFew }) => session(`settle, few ${isFew}`, () => settleGraph(config, { isFew })),
    computed: { prefillTokens: 0, decodedTokens: 0 },
  };
}

const sample = (requests: readonly SampleRequest[], params: SamplingParams, sampler = createSampler()) =>
  runSample(sampler, requests, params);

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
  of = weights,
) {
  const data = requests.map(({ prompt }, i) => {
    const all = [...prompt, ...samples[i]!.tokens];
    return { tokens: Int32Array.from(all.slice(0, -1)), targets: Int32Array.from(all.slice(1)) };
  });
  const { logprobs } = await forwardOf(of, data, temperature);
  return logprobs.map((row, i) => row.slice(requests[i]!.prompt.length - 1));
}

test.each([0.7, 1, 1.3])("log-probabilities at temperature %s equal the trainer's", async (temperature) => {
  const requests = raggedRequests(40);
  const samples = await sample(requests, { ...plain, temperature });
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
  const together = await sample(requests, plain);
  let nearBoundary = 0;
  for (const i of [0, 17, 101, 255]) {
    const [alone] = await sample([requests[i]!], plain);
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
  const first = await sample(requests, plain);
  expect(await sample(requests, plain)).toEqual(first);
  const other = await sample(
    requests.map((request) => ({ ...request, seed: request.seed + 1 })),
    plain,
  );
  expect(other.map((sample) => sample.tokens)).not.toEqual(first.map((sample) => sample.tokens));
});

test("greedy sampling, top-k 1 and a tiny top-p choose the likeliest token", async () => {
  const requests = raggedRequests(10);
  const greedy = await sample(requests, { ...plain, temperature: 0 });
  const topK = await sample(requests, { ...plain, topK: 1 });
  const topP = await sample(requests, { ...plain, topP: 1e-6 });
  expect(topK.map(({ tokens }) => tokens)).toEqual(greedy.map(({ tokens }) => tokens));
  expect(topP.map(({ tokens }) => tokens)).toEqual(greedy.map(({ tokens }) => tokens));
  for (const { logprobs } of [...greedy, ...topK]) logprobs.forEach((l) => void expect(Math.abs(l)).toBe(0));
});

test("rows end at their own stop token, which is part of the sample, or at the limit", async () => {
  const samples = await sample(raggedRequests(60), { ...plain, stop: [3, 4, 5, 6] });
  expect(new Set(samples.map(({ stopReason }) => stopReason))).toEqual(new Set(["stop", "length"]));
  for (const { tokens, stopReason } of samples) {
    const firstStop = tokens.findIndex((token) => token >= 3 && token <= 6);
    if (stopReason === "stop") expect(firstStop).toBe(tokens.length - 1);
    else expect([firstStop, tokens.length]).toEqual([-1, plain.maxTokens]);
  }
});

test("rows that end early change nothing for the others", async () => {
  const requests = raggedRequests(60);
  const all = await sample(requests, plain);
  const cut = await sample(requests, { ...plain, stop: [3, 4, 5, 6] });
  cut.forEach(({ tokens }, i) => void expect(tokens).toEqual(all[i]!.tokens.slice(0, tokens.length)));
});

test.each([
  { temperature: 1.3, topP: 1, topK: 0 },
  { temperature: 1, topP: 0.7, topK: 30 },
  { temperature: 0, topP: 1, topK: 0 },
  { temperature: 1.3, topP: 1, topK: 0, rows: 3 },
  // fewer entries are JavaScript's for a few rows
  { temperature: 1.3, topP: 1, topK: 0, rows: 3, entries: 1000 },
])(
  "a large vocabulary, summed up in blocks by the graph, gives the trainer's log-probabilities: %o",
  async ({ rows = 12, entries = 5000, ...filter }) => {
    // 5,000 entries: 40 blocks of which the last is not full
    const large = tinyWeights(3, { vocab_size: entries });
    const engine = createCore(large, 2);
    const requests = raggedRequests(rows).map(({ seed }) => ({
      prompt: [seed % entries, entries - 1, seed % 512],
      seed,
    }));
    const samples = await engine.sample(requests, { ...plain, ...filter });
    expect(new Set(samples.flatMap(({ tokens }) => [...tokens])).size).toBeGreaterThan(10);
    if (filter.topP === 1 && filter.temperature > 0) {
      const data = requests.map(({ prompt }, i) => {
        const ids = [...prompt, ...samples[i]!.tokens];
        return { tokens: Int32Array.from(ids.slice(0, -1)), targets: Int32Array.from(ids.slice(1)) };
      });
      const logprobs = await engine.forward(data, { temperature: filter.temperature });
      samples.forEach((sample, i) => {
        sample.logprobs.forEach((l, t) => void expect(Math.abs(l - logprobs[i]![2 + t]!)).toBeLessThan(2e-5));
      });
    }
    await engine.close();
  },
);

/** How often each piece of memory is among them. */
function timesOf(memory: readonly Float32Array[]): Map<ArrayBufferLike, number> {
  const times = new Map<ArrayBufferLike, number>();
  for (const { buffer } of memory) {
    if (buffer.byteLength > 0) times.set(buffer, (times.get(buffer) ?? 0) + 1);
  }
  return times;
}

describe("what was computed before", () => {
  const prefix = Array.from({ length: 15 }, (_, i) => 2 + (i % 20));
  const group = (seeds: number[]) => seeds.map((seed) => ({ prompt: prefix, seed }));

  test("a prefix that prompts share is computed once", async () => {
    const sampler = createSampler();
    await sample(group([1, 2, 3, 4, 5, 6, 7, 8]), plain, sampler);
    // all but the last token, which is each row's first step of decoding
    expect(sampler.computed).toEqual({ prefillTokens: 14, decodedTokens: 8 * 12 });
  });

  test("a retry continues its reflection's cache, to the same log-probabilities as from nothing", async () => {
    const sampler = createSampler();
    const stop = [3, 4, 5, 6];
    const reflections = await sample(group([1, 2, 3, 4]), { ...plain, stop }, sampler);
    const retries = reflections.flatMap(({ tokens }, i) =>
      [0, 1].map((k) => ({ prompt: [...prefix, ...tokens, 7, 8, 9], seed: 10 * i + k })),
    );
    const { prefillTokens } = sampler.computed;
    const continued = await sample(retries, plain, sampler);
    // of each of the 4 prompts the reflection's last token and the new ones are new, but for the last of those
    expect(sampler.computed.prefillTokens - prefillTokens).toBe(4 * 3);
    const anew = await sample(retries, plain);
    continued.forEach(({ tokens, logprobs }, i) => {
      expect(tokens).toEqual(anew[i]!.tokens);
      logprobs.forEach((l, t) => void expect(Math.abs(l - anew[i]!.logprobs[t]!)).toBeLessThan(2e-5));
    });
  });

  test("rows that read a shared beginning together are what they are alone, as groups shrink and others wait", async () => {
    const sampler = createSampler();
    const other = [...prefix.slice(0, 4), 9, 9, 9, 9, 9];
    // groups of 200, 150 and 1 rows: more than fit at once, beginnings of different lengths
    const requests = [
      ...Array.from({ length: 200 }, (_, seed) => ({ prompt: prefix, seed })),
      ...Array.from({ length: 150 }, (_, i) => ({ prompt: other, seed: 500 + i })),
      { prompt: [3, 2, 1], seed: 900 },
    ];
    const stop = [3, 4, 5, 6];
    const steps: boolean[] = [];
    const watched = {
      ...sampler,
      step: (options: Parameters<Sampler["step"]>[0]) => {
        steps.push(options.shared);
        return sampler.step(options);
      },
    };
    const all = await sample(requests, { ...plain, stop }, watched);
    expect(steps).toContain(true);
    for (const i of [0, 1, 150, 199, 200, 349, 350]) {
      const [alone] = await sample([requests[i]!], { ...plain, stop });
      expect(all[i]!.tokens).toEqual(alone!.tokens);
      all[i]!.logprobs.forEach((l, t) => void expect(Math.abs(l - alone!.logprobs[t]!)).toBeLessThan(2e-5));
    }
    // what was kept of rows that shared is whole
    const retries = [0, 1, 199, 349].map((i) => ({
      prompt: [...requests[i]!.prompt, ...all[i]!.tokens, 7, 8],
      seed: i,
    }));
    const continued = await sample(retries, plain, watched);
    expect(continued.map(({ tokens }) => tokens)).toEqual(
      (await sample(retries, plain)).map(({ tokens }) => tokens),
    );
  });

  test("retries of many groups read what their reflections shared together, and are what they are alone", async () => {
    const sampler = createSampler();
    const other = [...prefix.slice(0, 4), 9, 9, 9, 9, 9];
    const requests = [prefix, other].flatMap((prompt, g) =>
      Array.from({ length: 60 }, (_, i) => ({ prompt, seed: 100 * g + i })),
    );
    const reflections = await sample(requests, { ...plain, stop: [3, 4, 5, 6] }, sampler);
    const retries = requests.map(({ prompt, seed }, i) => ({
      // new turns of two lengths
      prompt: [...prompt, ...reflections[i]!.tokens, 7, 8, ...(i % 3 === 0 ? [11] : [])],
      seed,
    }));
    const extended: boolean[] = [];
    const watched = {
      ...sampler,
      extend: (options: { shared: boolean }) => {
        extended.push(options.shared);
        return sampler.extend(options);
      },
    };
    const continued = await sample(retries, plain, watched);
    expect(extended).toEqual([true]);
    const anew = await sample(retries, plain);
    continued.forEach(({ tokens, logprobs }, i) => {
      expect(tokens).toEqual(anew[i]!.tokens);
      logprobs.forEach((l, t) => void expect(Math.abs(l - anew[i]!.logprobs[t]!)).toBeLessThan(2e-5));
    });
  });

  test("the same prompts again need no prefill, and their samples' beginnings are known too", async () => {
    const sampler = createSampler();
    const [first] = await sample(group([1]), plain, sampler);
    sampler.computed.prefillTokens = 0;
    const again = await sample(group([1]), plain, sampler);
    expect(sampler.computed.prefillTokens).toBe(0);
    expect(again[0]!.tokens).toEqual(first!.tokens);
  });

  test("all memory that calls took comes back once what they kept is dropped", async () => {
    const sampler = createSampler();
    const [take, give] = [vi.spyOn(sampler.memory, "take"), vi.spyOn(sampler.memory, "give")];
    const stop = [3, 4, 5, 6];
    const prompts = group(Array.from({ length: 60 }, (_, seed) => seed));
    const samples = await sample(prompts, { ...plain, stop }, sampler);
    const retries = prompts.map(({ seed }, i) => ({
      prompt: [...prefix, ...samples[i]!.tokens, 7, 8],
      seed,
    }));
    await sample(retries, { ...plain, stop }, sampler);
    await sample(retries.slice(0, 3), plain, sampler);
    sampler.store.clear();
    const taken = take.mock.results.map(({ value }) => value as Float32Array);
    const given = timesOf(give.mock.calls.map(([memory]) => memory));
    expect(taken.length).toBeGreaterThan(20);
    // the store gives more: copies of its own, of what filled too little of the memory that it lay in
    const lost = [...timesOf(taken)].filter(([buffer, times]) => (given.get(buffer) ?? 0) < times);
    expect(lost.map(([{ byteLength }, times]) => ({ byteLength, times }))).toEqual([]);
  });

  test("a store without room keeps nothing and changes nothing", async () => {
    const sampler = createSampler(0);
    const samples = await sample(group([1, 2]), plain, sampler);
    expect(sampler.store.bytes).toBe(0);
    expect(samples).toEqual(await sample(group([1, 2]), plain));
  });
});

test.each(Object.entries(familyFields))(
  "%s: prefill, decoding and what grows on kept or shared beginnings give the trainer's log-probabilities",
  async (_family, fields) => {
    const of = roughWeights(7, fields);
    const sampler = createSampler(undefined, of);
    const passes = new Set<string>();
    const watched: Sampler = {
      ...sampler,
      step: (options) => {
        passes.add(`step, shared ${options.shared}`);
        return sampler.step(options);
      },
      extend: (options) => {
        passes.add(`extend, shared ${options.shared}`);
        return sampler.extend(options);
      },
    };
    const largestDistance = async (requests: SampleRequest[]) => {
      const samples = await sample(requests, plain, watched);
      const expected = await fullLogprobs(requests, samples, 1, of);
      const distances = samples.map(({ logprobs }, i) =>
        Math.max(...logprobs.map((logprob, t) => Math.abs(logprob - expected[i]![t]!))),
      );
      return { samples, distance: Math.max(...distances) };
    };
    const prompt = Array.from({ length: 15 }, (_, i) => 2 + (i % 20));
    const group = Array.from({ length: 60 }, (_, seed) => ({ prompt, seed }));
    const retryOf = ({ prompt, seed }: SampleRequest, tokens: Int32Array, i: number) => ({
      prompt: [...prompt, ...tokens, 7, 8, ...(i % 3 === 0 ? [11] : [])],
      seed,
    });
    for (const requests of [group, raggedRequests(20), raggedRequests(3)]) {
      const first = await largestDistance(requests);
      const retries = requests.map((request, i) => retryOf(request, first.samples[i]!.tokens, i));
      expect([first.distance, (await largestDistance(retries)).distance]).toEqual([
        expect.toSatisfy((distance: number) => distance < 2e-5),
        expect.toSatisfy((distance: number) => distance < 2e-5),
      ]);
    }
    const kinds = ["step, shared false", "step, shared true", "extend, shared false", "extend, shared true"];
    expect([...passes].sort()).toEqual(kinds.sort());
  },
);

test("more requests than places: rows enter as others end, and each is what it is alone", async () => {
  const requests = raggedRequests(400);
  const stop = [3, 4, 5, 6];
  const sampler = createSampler();
  const all = await sample(requests, { ...plain, stop }, sampler);
  for (const i of [0, 100, 300, 399]) {
    const [alone] = await sample([requests[i]!], { ...plain, stop });
    expect(all[i]!.tokens).toEqual(alone!.tokens);
  }
  // a row is computed along for a while after its end, but not as long as the longest row lasts
  const needed = all.reduce((sum, { tokens }) => sum + tokens.length, 0);
  expect(sampler.computed.decodedTokens).toBeLessThan(1.3 * needed);
});

test.each([
  [60, "without a window", {}],
  [60, "with a window in one layer", familyFields.qwen3],
  [4, "without a window", {}],
  [4, "with a window in one layer", familyFields.qwen3],
])(
  "more steps than are settled together: %i rows %s, and what goes on from them",
  async (count, _, fields) => {
    const of = roughWeights(7, { ...fields, max_position_embeddings: 160, vocab_size: 200 });
    const stop = [3]; // of 200: most rows outlive the 32 steps, some do not
    const params = { ...plain, maxTokens: 90, stop };
    let settled = 0;
    const sampler = createSampler(undefined, of);
    const watched: Sampler = {
      ...sampler,
      settle: (options) => {
        settled++;
        return sampler.settle(options);
      },
    };
    const requests = raggedRequests(count);
    const samples = await sample(requests, params, watched);
    expect(settled).toBeGreaterThan(2);
    const lengths = samples.map(({ tokens }) => tokens.length);
    expect(Math.max(...lengths)).toBe(90);
    if (count > 4) {
      expect(Math.min(...lengths)).toBeLessThan(32);
      expect(lengths.filter((length) => length > 32 && length < 90).length).toBeGreaterThan(0);
    }
    const distanceOf = async (of_: SampleRequest[], drawn: typeof samples) => {
      const expected = await fullLogprobs(of_, drawn, 1, of);
      return Math.max(
        ...drawn.flatMap(({ logprobs }, i) => [...logprobs].map((l, t) => Math.abs(l - expected[i]![t]!))),
      );
    };
    expect(await distanceOf(requests, samples)).toBeLessThan(2e-5);

    sampler.computed.prefillTokens = 0;
    const retries = requests.map(({ prompt, seed }, i) => ({
      prompt: [...prompt, ...samples[i]!.tokens, 7, 8],
      seed,
    }));
    const continued = await sample(retries, { ...plain, stop }, watched);
    // every sample was kept whole: its last token and one of the two new ones are all that is new
    expect(sampler.computed.prefillTokens).toBe(2 * requests.length);
    expect(await distanceOf(retries, continued)).toBeLessThan(2e-5);
  },
);

test("a few rows that share a long beginning give the trainer's log-probabilities", async () => {
  const of = roughWeights(7, { max_position_embeddings: 256, vocab_size: 200 });
  const beginning = Array.from({ length: 200 }, (_, t) => (7 * t) % 199);
  const requests = [1, 2, 3, 4].map((seed) => ({ prompt: [...beginning, 20 + seed, 5], seed }));
  const sampler = createSampler(undefined, of);
  const asked: object[] = [];
  const watched: Sampler = {
    ...sampler,
    step: (options) => {
      asked.push(options);
      return sampler.step(options);
    },
  };
  const samples = await sample(requests, { ...plain, maxTokens: 40 }, watched);
  expect(asked[0]).toMatchObject({ shared: true, past: true, isFew: true });
  const expected = await fullLogprobs(requests, samples, 1, of);
  samples.forEach(({ logprobs }, i) => {
    logprobs.forEach((l, t) => void expect(Math.abs(l - expected[i]![t]!)).toBeLessThan(2e-5));
  });
});

describe("the context", () => {
  const promptOf = (length: number) => [{ prompt: new Array<number>(length).fill(2), seed: 1 }];

  test("ends a sample that fills it", async () => {
    const [full] = await sample(promptOf(contextLength - 3), plain);
    expect([full!.tokens.length, full!.stopReason]).toEqual([3, "length"]);
  });

  test.each([0, contextLength])("refuses a prompt of %i tokens", async (length) => {
    const attempt = sample(promptOf(length), plain);
    await expect(attempt).rejects.toThrow(/prompt 0: must have 1 to 63 tokens/);
  });
});

test("tokens come in their softmax's proportions", async () => {
  const prompt = [5, 6, 7];
  const draws = 4096;
  const requests = Array.from({ length: draws }, (_, i) => ({ prompt, seed: i }));
  const samples = await sample(requests, { ...plain, maxTokens: 1 });
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
