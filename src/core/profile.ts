/** Where computing time went: graphs, and the kinds of op in them. */

export interface OpTime {
  /** The runtime's name of the op, after its fusions. */
  op: string;
  calls: number;
  seconds: number;
}

export interface GraphTime {
  graph: string;
  /** How often it ran. */
  runs: number;
  /** Of all runs together, seen from outside: with the copies of outputs. */
  seconds: number;
  /** The longest first. The runtime measures the first million calls only. */
  ops: OpTime[];
}

/** The longest first. */
export type EngineProfile = readonly GraphTime[];

export function longestFirst<T extends { seconds: number }>(times: Iterable<T>): T[] {
  return [...times].sort((a, b) => b.seconds - a.seconds);
}

/** Adds to what is known of an op. */
export function addOp(ops: Map<string, OpTime>, { op, calls, seconds }: OpTime): void {
  const sum = ops.get(op);
  ops.set(op, { op, calls: calls + (sum?.calls ?? 0), seconds: seconds + (sum?.seconds ?? 0) });
}
