/**
 * How far V8's heaps may grow before they are collected whole. It counts memory outside its heap too, and what a graph
 * computes anew at every run, also where that went into memory of ours: beside a replica's heap of 12 MB, 24 MB of it, a
 * fraction of a training step, started a collection (docs/decisions/0024-heap-growth.md).
 */
import { setFlagsFromString } from "node:v8";

/** To four times what was left by the last: V8's own bound for large heaps. Of all threads, so it is the program's choice. */
export function letHeapsGrow(): void {
  setFlagsFromString("--heap-growing-percent=300");
}
