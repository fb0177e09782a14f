/** Inputs that no longer change: as constants the runtime packs them for its products once, instead of at every run. */
import type { Graph, TensorData } from "./graph.ts";
import type { Feeds } from "./session.ts";

/** The graph with those of its inputs as constants, with the numbers that the feeds hold when a session is made. */
export function freezeInputs(graph: Graph, feeds: Feeds): Graph {
  const isFrozen = ({ name }: { name: string }) => name in feeds;
  const frozen = graph.inputs.filter(isFrozen).map((value) => ({
    value: { ...value, shape: [...feeds[value.name]!.dims] },
    data: feeds[value.name]!.data as TensorData,
  }));
  return {
    ...graph,
    inputs: graph.inputs.filter((value) => !isFrozen(value)),
    constants: [...graph.constants, ...frozen],
  };
}
