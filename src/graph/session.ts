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

/** The session remembers with a feed what the runtime made of it, should the feed come again (weights, a cache). */
export interface Feed {
  data: TensorData;
  dims: readonly number[];
}

export type Feeds = Readonly<Record<string, Feed>>;

export type Result = Readonly<Feed>;

export interface Session {
  /**
   * An input takes the first of several feeds with its name; the rest is left aside. Feeds that stay the same from run to run are
   * better handed over beside the others than copied into them (docs/decisions/0025). Results go `into` arrays of the
   * caller's where there are any: the others lie in the session's own memory, and hold it, after release too, until they
   * are collected. Throws MulliganError `graph` for an input without a feed.
   */
  run(feeds: Feeds | readonly Feeds[], into?: Feeds): Promise<Record<string, Result>>;
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
 * their cores from JavaScript and from the next session's threads. Waits of 500 to 5000 µs did as well (docs/decisions/0025).
 */
const WAITING = { spin_duration_us: "1000", spin_backoff_max: "8" };

/** On the feed itself: a WeakMap took a microsecond for each feed that never comes again. */
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
  /** Made anew where the feed has changed since. */
  const tensorOf = (dtype: DType, feed: RememberedFeed): Tensor => {
    const known = feed[TENSOR];
    if (known?.data === feed.data && known.dims === feed.dims && known.type === dtype) return known;
    feed[TENSOR] = new ort.Tensor(dtype, feed.data as never, feed.dims);
    return feed[TENSOR];
  };
  const fetchesOf = (into: Feeds = {}) =>
    Object.fromEntries(
      graph.outputs.map(({ name, dtype }) => [name, into[name] ? tensorOf(dtype, into[name]) : null]),
    );
  return {
    async run(feeds, into) {
      const all: readonly Feeds[] = Array.isArray(feeds) ? feeds : [feeds];
      const tensors: Record<string, Tensor> = {};
      for (const { name, dtype } of graph.inputs) {
        const feed = all.find((some) => some[name])?.[name];
        if (!feed) throw new MulliganError("graph", `run: every input needs a feed, got none for "${name}"`);
        tensors[name] = tensorOf(dtype, feed);
      }
      const start = performance.now();
      const results = await session.run(tensors, fetchesOf(into));
      runs++;
      seconds += (performance.now() - start) / 1000;
      return results as Record<string, Tensor & Result>;
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
