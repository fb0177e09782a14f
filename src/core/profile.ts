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
