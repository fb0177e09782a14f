/** The losses: derivatives against central differences, exact zeros where nothing is learnt, and their known limits. */
import { describe, expect, test } from "vitest";
import type { KlEstimator } from "../../../core/kl.ts";
import { createRng } from "../../../core/rng.ts";
import { add, createGraph, createSession, gradients, tokenLogprob } from "../../../graph/index.ts";
import type { Loss } from "../../contract.ts";
import { klLoss, policyLoss } from "./training-graph.ts";

const ROWS = 6;
const VOCAB = 5;
const TARGETS = [4, 0, 2, 2, 1, 3];
/** Tokens 0, 3 and 5 learn nothing. */
const ADVANTAGES = [0, 1.5, -0.7, 0, 0.4, 0];
const KL_WEIGHTS = [0, 0.2, 0.2, 0, 0.2, 0];
const logits = Array.from({ length: ROWS * VOCAB }, createRng(5).normal);

interface Arm {
  name: Loss["name"];
  kl?: KlEstimator;
}
const arms: Arm[] = [
  { name: "cross_entropy" },
  { name: "importance_sampling" },
  { name: "ppo" },
  { name: "ppo", kl: "k2" },
  { name: "ppo", kl: "k3" },
];

/** Loss and d loss / d logits over given logits, in float64. `sampled` and `reference` are log-probabilities. */
async function lossOf({ name, kl }: Arm, sampled: number[], reference: number[]) {
  const graph = createGraph("float64");
  const x = graph.input("logits", "float64", ["E", VOCAB]);
  const ids = (name: string) => graph.input(name, "int64", ["E"]);
  const logprobs = tokenLogprob(graph, x, ids("rows"), ids("targets"));
  graph.output("logprobs", logprobs);
  let total = policyLoss(graph, name, logprobs);
  if (kl) total = add(graph, total, klLoss(graph, kl, logprobs));
  graph.output("loss", total);
  graph.output("d", gradients(graph, total, [x])[0]!);
  const session = await createSession(graph, { threads: 1 });
  const perToken: Record<string, number[]> =
    name === "cross_entropy"
      ? { weights: ADVANTAGES }
      : { sampled_logprobs: sampled, advantages: ADVANTAGES };
  if (kl) {
    perToken.kl_weights = KL_WEIGHTS;
    perToken.kl_mask = KL_WEIGHTS.map((w) => (w === 0 ? 0 : 1));
    perToken.reference_logprobs = reference;
  }
  return async (numbers: readonly number[]) => {
    const feed = (values: readonly number[], dims: number[]) => ({ data: Float64Array.from(values), dims });
    const result = await session.run({
      logits: feed(numbers, [ROWS, VOCAB]),
      rows: { data: BigInt64Array.from(TARGETS, (_, i) => BigInt(i)), dims: [ROWS] },
      targets: { data: BigInt64Array.from(TARGETS, BigInt), dims: [ROWS] },
      ...Object.fromEntries(Object.entries(perToken).map(([key, values]) => [key, feed(values, [ROWS])])),
      ...(name === "ppo" ? { clip_low: feed([0.8], []), clip_high: feed([1.2], []) } : {}),
    });
    return {
      loss: Number(result.loss!.data[0]),
      d: Array.from(result.d!.data, Number),
      logprobs: Array.from(result.logprobs!.data, Number),
    };
  };
}

/** Current log-probabilities shifted by fixed amounts, so that ratios lie inside and outside the clip range. */
async function shiftedLogprobs(shifts: number[]): Promise<number[]> {
  const run = await lossOf({ name: "cross_entropy" }, [], []);
  return (await run(logits)).logprobs.map((logprob, i) => logprob - shifts[i]!);
}

describe.each(arms)("$name with KL $kl", (arm) => {
  test("has the derivative that central differences measure, and exactly 0 where nothing is learnt", async () => {
    const sampled = await shiftedLogprobs([0.1, 0.05, -0.1, 0.3, 0.5, -0.2]);
    const reference = await shiftedLogprobs([9, 0.3, -0.4, -99, 0.1, 99]);
    const run = await lossOf(arm, sampled, reference);
    const { d } = await run(logits);
    for (let i = 0; i < logits.length; i++) {
      const shift = (by: number) => logits.map((value, j) => (j === i ? value + by : value));
      const difference = ((await run(shift(1e-5))).loss - (await run(shift(-1e-5))).loss) / 2e-5;
      expect(d[i]).toBeCloseTo(difference, 7);
      if (ADVANTAGES[Math.floor(i / VOCAB)] === 0) expect(Math.abs(d[i]!)).toBe(0);
    }
    expect(d.some((value) => value !== 0)).toBe(true);
  });
});

test("on policy, ppo and importance sampling have REINFORCE's gradient: that of cross-entropy weighted by advantages", async () => {
  const sampled = await shiftedLogprobs([0, 0, 0, 0, 0, 0]);
  const reinforce = (await (await lossOf({ name: "cross_entropy" }, [], []))(logits)).d;
  for (const name of ["ppo", "importance_sampling"] as const) {
    const { d } = await (await lossOf({ name }, sampled, []))(logits);
    d.forEach((value, i) => void expect(value).toBeCloseTo(reinforce[i]!, 10));
  }
});

test("k3 is 0 with zero gradient at the reference, positive elsewhere", async () => {
  const zero = ADVANTAGES.map(() => 0);
  const sampled = await shiftedLogprobs(zero);
  const plain = await (await lossOf({ name: "ppo" }, sampled, sampled))(logits);
  const at = await (await lossOf({ name: "ppo", kl: "k3" }, sampled, sampled))(logits);
  expect(at.loss).toBeCloseTo(plain.loss, 12);
  at.d.forEach((value, i) => void expect(value).toBeCloseTo(plain.d[i]!, 12));
  const away = await shiftedLogprobs([0, 0.5, -0.5, 0, 0.1, 0]);
  expect((await (await lossOf({ name: "ppo", kl: "k3" }, sampled, away))(logits)).loss).toBeGreaterThan(
    plain.loss,
  );
});

test("k1 has the gradient of k1 in the reward, which on policy is k2's", async () => {
  const sampled = await shiftedLogprobs([0, 0, 0, 0, 0, 0]);
  const reference = await shiftedLogprobs([0, 0.5, -0.5, 0, 0.1, 0]);
  const k1 = await (await lossOf({ name: "ppo", kl: "k1" }, sampled, reference))(logits);
  const k2 = await (await lossOf({ name: "ppo", kl: "k2" }, sampled, reference))(logits);
  k1.d.forEach((value, i) => void expect(value).toBeCloseTo(k2.d[i]!, 10));
  const plain = await (await lossOf({ name: "ppo" }, sampled, reference))(logits);
  // Σ w·(ln p − ln p_ref) = 0.2·(0.5 − 0.5 + 0.1)
  expect(k1.loss - plain.loss).toBeCloseTo(0.02, 10);
});

test("ppo stops pushing a token whose ratio left the clip range on the side that its advantage pushes to", async () => {
  // Token 1 (A > 0): ratio e^0.5 > 1.2, clipped. Token 2 (A < 0): ratio e^0.5, pushed back, not clipped.
  const sampled = await shiftedLogprobs([0, 0.5, 0.5, 0, 0, 0]);
  const { d } = await (await lossOf({ name: "ppo" }, sampled, []))(logits);
  expect(d.slice(VOCAB, 2 * VOCAB).every((value) => Math.abs(value) === 0)).toBe(true);
  expect(d.slice(2 * VOCAB, 3 * VOCAB).some((value) => value !== 0)).toBe(true);
});
