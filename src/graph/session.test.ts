import { expect, test } from "vitest";
import { add, createGraph, createSession } from "./index.ts";

const feed = (...numbers: number[]) => ({ data: Float32Array.from(numbers), dims: [numbers.length] });

async function createSum() {
  const graph = createGraph();
  const [a, b] = [graph.input("a", "float32", ["N"]), graph.input("b", "float32", ["N"])];
  graph.output("sum", add(graph, a, b));
  return createSession(graph, { threads: 2 });
}

test("a run takes from the weights what it is not fed itself", async () => {
  const session = await createSum();
  const weights = { a: feed(1, 2), b: feed(10, 20) };
  const ofWeights = await session.run({}, { weights });
  const ofBoth = await session.run({ a: feed(5, 6) }, { weights });
  expect([...ofWeights.sum!.data]).toEqual([11, 22]);
  expect([...ofBoth.sum!.data]).toEqual([15, 26]);
  await expect(session.run({ a: feed(1) })).rejects.toThrow('got none for "b"');
  await session.release();
});

test("results lie in the arrays that they were asked into", async () => {
  const session = await createSum();
  const sum = feed(0, 0);
  await session.run({ a: feed(1, 2), b: feed(3, 4) }, { into: { sum } });
  expect([...sum.data]).toEqual([4, 6]);
  await session.release();
});

test("a feed that comes again is taken as it is then", async () => {
  const session = await createSum();
  const a = feed(1, 2);
  const b = feed(10, 20);
  const run = async () => [...(await session.run({ a, b })).sum!.data];
  expect(await run()).toEqual([11, 22]);
  a.data[0] = 3;
  expect(await run()).toEqual([13, 22]);
  Object.assign(a, feed(7, 8, 9));
  Object.assign(b, feed(1, 1, 1));
  expect(await run()).toEqual([8, 9, 10]);
  const copy = { ...a, data: Float32Array.of(0, 0, 0) };
  expect([...(await session.run({ a: copy, b })).sum!.data]).toEqual([1, 1, 1]);
  await session.release();
});
