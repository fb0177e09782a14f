/**
 * The order in which a graph's nodes are computed. The runtime chooses it: depth first from what nothing follows, the
 * last such node of the file first, and before each node what it needs. What is computed early is held for long.
 */
import type { Graph, Node } from "./graph.ts";

/**
 * The nodes for the file: those that an output needs, and so that each result is computed as soon as what it needs is: what
 * nothing follows comes last, in reverse. As they were built, the derivatives of all weights would wait for the end of the
 * backward pass, and with them much that they are made of.
 */
export function fileOrder({
  nodes,
  outputs,
  outputNames,
}: Pick<Graph, "nodes" | "outputs" | "outputNames">): Node[] {
  const needed = new Set([...outputs.map(({ name }) => name), ...outputNames.keys()]);
  const used = new Set<string>();
  const isNeeded = (node: Node) => node.outputs.some((name) => needed.has(name));
  for (const node of [...nodes].reverse()) {
    if (!isNeeded(node)) continue;
    for (const name of node.inputs) {
      needed.add(name);
      used.add(name);
    }
  }
  const isUsed = ({ outputs }: Node) => outputs.some((name) => used.has(name));
  const kept = nodes.filter(isNeeded);
  return [...kept.filter(isUsed), ...kept.filter((node) => !isUsed(node)).reverse()];
}

/** The nodes in the order in which the runtime computes a file's. Source: ONNX Runtime 1.30, Graph::ReverseDFSFrom. */
export function runOrder(nodes: readonly Node[]): Node[] {
  const maker = new Map(nodes.flatMap((node, index) => node.outputs.map((name) => [name, index])));
  const needs = nodes.map(({ inputs }) =>
    [...new Set(inputs.flatMap((name) => maker.get(name) ?? []))].sort((a, b) => a - b),
  );
  const needed = new Set(needs.flat());
  /** A node comes twice: to go to what it needs, and to be computed after that. */
  const stack = nodes.flatMap((_, index) => (needed.has(index) ? [] : [{ index, isReady: false }]));
  const seen = new Set<number>();
  const order: Node[] = [];
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { index, isReady } = top;
    if (isReady) order.push(nodes[index]!);
    if (isReady || seen.has(index)) continue;
    seen.add(index);
    stack.push({ index, isReady: true });
    for (const need of needs[index]!) if (!seen.has(need)) stack.push({ index: need, isReady: false });
  }
  return order;
}
