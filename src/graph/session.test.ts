import { expect, test } from "vitest";
import { add, createGraph, createSession } from "./index.ts";

const feed = (...numbers: number[]) => ({ data: Float32Array.from(numbers), dims: [1, numbers.length] });

async function createSum() {
  const graph = createGraph();
  const [a, b] = [graph.input("a", "float32", ["N", "M"]), graph.input("b", "float32", ["N", "M"])];
  graph.output("sum", add(graph, a, b));
  return createSession(graph, { threads: 2 });
}

test("an input takes the first feed with its name", async () => {
  const session = await createSum();
  const weights = { a: feed(1, 2), b: feed(10, 20) };
  const ofWeights = await session.run(weights);
  const ofBoth = await session.run([{ a: feed(5, 6) }, {}, weights]);
  expect([...ofWeights.sum!.data]).toEqual([11, 22]);
  expect([...ofBoth.sum!.data]).toEqual([15, 26]);
  await expect(session.run([{ a: feed(1) }, {}])).rejects.toThrow('got none for "b"');
  await session.release();
});

test("results lie in the arrays that they were asked into", async () => {
  const session = await createSum();
  const sum = feed(0, 0);
  const result = await session.run({ a: feed(1, 2), b: feed(3, 4) }, { sum });
  expect([...sum.data]).toEqual([4, 6]);
  expect([...result.sum!.data]).toEqual([4, 6]);
  await session.release();
});

test("a feed that comes again is taken as it is then", async () => {
  const session = await createSum();
  const a = feed(1, 2, 3, 4, 5, 6);
  const b = feed(0, 0, 0, 0, 0, 10);
  const run = async () => {
    const { sum } = await session.run({ a, b });
    return { data: [...sum!.data], dims: sum!.dims };
  };
  expect(await run()).toEqual({ data: [1, 2, 3, 4, 5, 16], dims: [1, 6] });
  a.data[0] = 3;
  expect(await run()).toEqual({ data: [3, 2, 3, 4, 5, 16], dims: [1, 6] });
  a.dims = b.dims = [2, 3];
  expect(await run()).toEqual({ data: [3, 2, 3, 4, 5, 16], dims: [2, 3] });
  a.data = new Float32Array(6);
  expect(await run()).toEqual({ data: [0, 0, 0, 0, 0, 10], dims: [2, 3] });
  await session.release();
});

test("a feed may go to inputs of two types that have the same arrays", async () => {
  const graph = createGraph();
  const bytes = graph.input("bytes", "uint8", [1, 3]);
  const flags = graph.input("flags", "bool", [1, 3]);
  const asNumbers = (x: typeof bytes) =>
    graph.node("Cast", [x], "float32", [1, 3], { attributes: { to: { int: 1 } } });
  graph.output("sum", add(graph, asNumbers(bytes), asNumbers(flags)));
  const session = await createSession(graph, { threads: 1 });
  const three = { data: Uint8Array.of(0, 1, 1), dims: [1, 3] };
  const { sum } = await session.run({ bytes: three, flags: three });
  expect([...sum!.data]).toEqual([0, 2, 2]);
  await session.release();
});
