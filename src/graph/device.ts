/** What graphs run on besides the CPU: providers of the runtime, where it brings one and finds a device for it. */
import { createRequire } from "node:module";
import type { Device } from "../core/device.ts";
import { MulliganError } from "../core/errors.ts";
import { createGraph } from "./graph.ts";
import { encodeOnnx } from "./onnx.ts";
import { add } from "./ops/arithmetic.ts";

// CommonJS on purpose: see session.ts.
const require = createRequire(import.meta.url);

/** Throws `MulliganError("engine")` when the runtime cannot compute on the device: it has no provider, or finds no device. */
export async function requireDevice(device: Device): Promise<void> {
  if (device === "cpu") return;
  const ort = require("onnxruntime-node") as typeof import("onnxruntime-node");
  const graph = createGraph();
  const x = graph.input("x", "float32", [1]);
  graph.output("y", add(graph, x, x));
  const options = { executionProviders: [device], logSeverityLevel: 4 as const };
  try {
    const session = await ort.InferenceSession.create(encodeOnnx(graph), options);
    await session.release();
  } catch (cause) {
    const why = (cause as Error).message.trim().split("\n")[0]!.slice(-160);
    throw new MulliganError("engine", `device: "${device}" cannot be used here (${why})`, {
      hint: "use cpu, or see docs/devices.md for what each device needs",
      cause,
    });
  }
}
