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

export interface Session {
  /**
   * Feeds that the graph has no input for are left aside. Results go `into` arrays of the caller's where there are any: the
   * others lie in the session's own memory, and hold it, after release too, until they are collected.
   */
  run(
    feeds: Readonly<Record<string, Feed>>,
    into?: Readonly<Record<string, Feed>>,
  ): Promise<Record<string, { data: TensorData; dims: readonly number[] }>>;
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
    ...(profileFile && { enableProfiling: true, profileFilePrefix: profileFile.prefix }),
  });
  let [runs, seconds] = [0, 0];
  /** Feeds that come again as the same object (weights, a cache) are wrapped once. */
  const wrapped = new WeakMap<Feed, Tensor>();
  const wrap = (dtype: DType, feed: Feed): Tensor => {
    const tensor = wrapped.get(feed) ?? new ort.Tensor(dtype, feed.data as never, feed.dims);
    wrapped.set(feed, tensor);
    return tensor;
  };
  const fetchesOf = (into: Readonly<Record<string, Feed>> = {}) =>
    Object.fromEntries(
      graph.outputs.map(({ name, dtype }) => [name, into[name] ? wrap(dtype, into[name]) : null]),
    );
  return {
    async run(feeds, into) {
      const tensors: Record<string, Tensor> = {};
      for (const { name, dtype } of graph.inputs) {
        const feed = feeds[name];
        if (!feed) throw new MulliganError("graph", `run: every input needs a feed, got none for "${name}"`);
        tensors[name] = wrap(dtype, feed);
      }
      const start = performance.now();
      const results = await session.run(tensors, fetchesOf(into));
      runs++;
      seconds += (performance.now() - start) / 1000;
      return Object.fromEntries(
        Object.entries(results).map(([name, tensor]) => [
          name,
          { data: tensor.data as TensorData, dims: tensor.dims },
        ]),
      );
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
