/**
 * A compiled graph. Feeds are zero-copy typed arrays; outputs are fresh arrays or the caller's. `run` computes synchronously inside
 * (it blocks the thread it is called on), so long graphs belong in a worker.
 */
import { createRequire } from "node:module";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { Device } from "../core/device.ts";
import { MulliganError } from "../core/errors.ts";
import type { Graph, TensorData } from "./graph.ts";
import { encodeOnnx } from "./onnx.ts";
import { createProfileFile, type GraphProfile } from "./profile.ts";
import type { DType } from "./value.ts";

// CommonJS on purpose: the runtime is loaded when the first session is made, not when the library is imported.
const require = createRequire(import.meta.url);

export interface Feed {
  data: TensorData;
  dims: readonly number[];
}

export type Feeds = Readonly<Record<string, Feed>>;

export interface RunOptions {
  /** Arrays for results: the others lie in the session's own memory, and hold it, after release too, until they are collected. */
  into?: Feeds | undefined;
  /** Feeds of inputs that `feeds` has none for. One object for many runs: to copy it into each run's costs 50 µs. */
  weights?: Feeds | undefined;
}

export interface Session {
  /** Feeds that the graph has no input for are left aside. */
  run(feeds: Feeds, options?: RunOptions): Promise<Record<string, Feed>>;
  /** Ends the measuring that `profile` asked for: once, before release. Undefined when nothing was asked for. */
  profile(): Promise<GraphProfile | undefined>;
  release(): Promise<void>;
}

export interface SessionOptions {
  /** Intra-op threads; 0 = the runtime's choice. */
  threads?: number;
  /** "basic" for float64: higher levels fuse to ops that exist in float32 only. */
  optimization?: "disabled" | "basic" | "all";
  /** Default cpu, which also computes what another device has no kernel for. */
  device?: Device;
  /** Measure each op: costs some time, and a temporary file of half a kilobyte per op and run. */
  profile?: boolean;
  /**
   * What becomes of a run's memory. "kept" (default) keeps the most that a run has needed, and a second time as one block
   * for a run of the same sizes: fastest; "pooled" keeps it once; "returned" gives each tensor's back at once, of which
   * the system may hold on to as much in pieces.
   */
  memory?: "kept" | "pooled" | "returned";
}

/**
 * How a session's other threads wait for work. By default they ask for it without a pause for long after a run, which takes
 * their cores from JavaScript and from the next session's threads. Arbitrary, not tuned (docs/decisions/0025).
 */
const WAITING = { spin_duration_us: "1000", spin_backoff_max: "8" };

/** A feed's tensor is remembered with it: by a WeakMap it cost a microsecond for each feed that never comes again. */
const TENSOR = Symbol("tensor");
type RememberedFeed = Feed & { [TENSOR]?: Tensor };

export async function createSession(graph: Graph, options: SessionOptions = {}): Promise<Session> {
  const ort = require("onnxruntime-node") as typeof import("onnxruntime-node");
  const optimization = options.optimization ?? (graph.float === "float64" ? "basic" : "all");
  const { memory = "kept" } = options;
  const profileFile = options.profile ? await createProfileFile() : undefined;
  const session: InferenceSession = await ort.InferenceSession.create(encodeOnnx(graph), {
    intraOpNumThreads: options.threads ?? 0,
    interOpNumThreads: 1,
    graphOptimizationLevel: optimization,
    executionProviders:
      options.device === undefined || options.device === "cpu" ? ["cpu"] : [options.device, "cpu"],
    logSeverityLevel: 3,
    enableCpuMemArena: memory !== "returned",
    enableMemPattern: memory === "kept",
    extra: { session: { intra_op: WAITING } },
    ...(profileFile && { enableProfiling: true, profileFilePrefix: profileFile.prefix }),
  });
  let [runs, seconds] = [0, 0];
  const fetchesOf = (into: Feeds = {}) =>
    Object.fromEntries(
      graph.outputs.map(({ name, dtype }) => [name, into[name] ? tensorOf(dtype, into[name]) : null]),
    );
  /** Makes a feed a tensor once, should it come again (weights, a cache). */
  const tensorOf = (dtype: DType, feed: RememberedFeed): Tensor => {
    const known = feed[TENSOR];
    if (known && known.data === feed.data && known.dims === feed.dims) return known;
    feed[TENSOR] = new ort.Tensor(dtype, feed.data as never, feed.dims);
    return feed[TENSOR];
  };
  return {
    async run(feeds, { into, weights } = {}) {
      const tensors: Record<string, Tensor> = {};
      for (const { name, dtype } of graph.inputs) {
        const feed = feeds[name] ?? weights?.[name];
        if (!feed) throw new MulliganError("graph", `run: every input needs a feed, got none for "${name}"`);
        tensors[name] = tensorOf(dtype, feed);
      }
      const start = performance.now();
      const results = await session.run(tensors, fetchesOf(into));
      runs++;
      seconds += (performance.now() - start) / 1000;
      return results as Record<string, Tensor & Feed>;
    },
    async profile() {
      if (!profileFile) return undefined;
      session.endProfiling();
      return { runs, seconds, ops: await profileFile.read() };
    },
    async release() {
      await session.release();
      await profileFile?.remove();
    },
  };
}
