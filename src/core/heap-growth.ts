/**
 * How far V8's heaps may grow before they are collected whole. V8 also counts memory outside its heap, and counts a graph's
 * outputs anew at each run, even those written into arrays that are used again: a replica with a heap of 12 MB was collected
 * whole after every 24 MB of outputs, several times in a training step (docs/decisions/0024-heap-growth.md).
 */
import { setFlagsFromString } from "node:v8";

/** To four times what is alive, V8's own bound. The flag holds for the whole process: for programs to set, never the library. */
export function letHeapsGrow(): void {
  setFlagsFromString("--heap-growing-percent=300");
}
