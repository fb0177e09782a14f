/** Products with integers: near the exact ones, and the same whatever is computed beside them. */
import { expect, test } from "vitest";
import { createRng } from "../../core/rng.ts";
import { createGraph } from "../graph.ts";
import { createSession } from "../session.ts";
import { quantizedLinear, quantizedRows, unpackNibbles } from "./quantized.ts";

const [K, N] = [64, 40];
const rng = createRng(5);
const integers = Int8Array.from({ length: K * N }, () => rng.int(-127, 127));
const scales = Float32Array.from({ length: N }, () => 0.001 + 0.01 * rng.next());
const feeds = { values: { data: integers, dims: [K, N] }, scales: { data: scales, dims: [N] } };

function matrixInputs(graph: ReturnType<typeof createGraph>) {
  return { values: graph.input("values", "int8", [K, N]), scales: graph.input("scales", "float32", [N]) };
}

async function products(x: Float32Array): Promise<Float32Array> {
  const graph = createGraph();
  const matrix = matrixInputs(graph);
  graph.output("y", quantizedLinear(graph, graph.input("x", "float32", ["M", K]), matrix));
  const session = await createSession(graph, { threads: 1 });
  const { y } = await session.run({ ...feeds, x: { data: x, dims: [x.length / K, K] } });
  await session.release();
  return y!.data as Float32Array;
}

const inputs = (rows: number) => Float32Array.from({ length: rows * K }, () => rng.normal());

test("a product errs by at most what rounding its input to 14 bits of the row's largest allows", async () => {
  const x = inputs(5);
  const y = await products(x);
  for (let m = 0; m < 5; m++) {
    const row = x.subarray(m * K, (m + 1) * K);
    // a unit is largest / 63 / 128; each input is rounded by at most half of one, and each of K products by its integer
    const half = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 63 / 128 / 2;
    for (let n = 0; n < N; n++) {
      let [exact, bound] = [0, 0];
      row.forEach((value, k) => {
        const weight = integers[k * N + n]! * scales[n]!;
        exact += value * weight;
        bound += Math.abs(weight) * half;
      });
      expect(Math.abs(y[m * N + n]! - exact)).toBeLessThan(bound * 1.001);
    }
  }
});

test("the largest factors do not overflow: 127 · 127 in every product of a long sum", async () => {
  const x = new Float32Array(K).fill(3);
  const saved = integers.slice();
  integers.fill(-127);
  const y = await products(x);
  integers.set(saved);
  y.forEach((value, n) => void expect(value / (3 * -127 * K * scales[n]!)).toBeCloseTo(1, 5));
});

test("a row alone has the very product that it has among others, and zeros give zeros", async () => {
  const x = inputs(7);
  x.fill(0, 2 * K, 3 * K);
  const together = await products(x);
  for (let m = 0; m < 7; m++) {
    expect(await products(x.slice(m * K, (m + 1) * K))).toEqual(together.slice(m * N, (m + 1) * N));
  }
  expect(together.slice(2 * N, 3 * N).every((value) => value === 0)).toBe(true);
});

test("rows of the table are integers times their unit", async () => {
  const graph = createGraph();
  const matrix = matrixInputs(graph);
  graph.output("rows", quantizedRows(graph, matrix, graph.input("ids", "int64", ["M"])));
  const session = await createSession(graph, { threads: 1 });
  const ids = [3, 39, 3];
  const { rows } = await session.run({ ...feeds, ids: { data: BigInt64Array.from(ids, BigInt), dims: [3] } });
  await session.release();
  const expected = ids.flatMap((n) => Array.from({ length: K }, (_, k) => integers[k * N + n]! * scales[n]!));
  expect(rows!.data).toEqual(Float32Array.from(expected));
});

test("a byte holds an input of the block's first half and one of its second", async () => {
  const graph = createGraph();
  const nibbles = graph.input("nibbles", "uint8", [1, 16, 1]);
  graph.output("q", unpackNibbles(graph, nibbles, graph.input("multipliers", "int8", [1, 1, 1])));
  const session = await createSession(graph, { threads: 1 });
  const data = Uint8Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4));
  const { q } = await session.run({
    nibbles: { data, dims: [1, 16, 1] },
    multipliers: { data: Int8Array.of(-18), dims: [1, 1, 1] },
  });
  await session.release();
  const halves = (of: (i: number) => number) => Array.from({ length: 16 }, (_, i) => 18 * (8 - of(i)));
  // −18 · −8 = 144 would not fit: quantize never writes the nibble 0
  const expected = [...halves((i) => i), ...halves((i) => 15 - i)];
  const fits = (value: number) => value <= 127;
  expect(Array.from(q!.data as Int8Array).filter((_, i) => fits(expected[i]!))).toEqual(
    expected.filter(fits),
  );
});
