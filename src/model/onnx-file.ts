/**
 * The generation graph as files that other programs load: `model.onnx`, and beside it `model.onnx_data` where the weights
 * are too large for a protobuf. Whole or not at all, the graph last.
 */
import { join } from "node:path";
import { writeWhole } from "../core/atomic-file.ts";
import { makeFolder } from "../core/disk.ts";
import { type ExternalData, encodeOnnx } from "../graph/index.ts";
import type { Model } from "./folder.ts";
import { generationGraph } from "./generation-graph.ts";

/** Weights of more bytes go into a file of their own: a protobuf ends at 2 GiB, and must be parsed as a whole. */
const LARGEST_FILE = 2 ** 30;

/** As ONNX wants it where files are mapped into memory. */
const PAGE = 4096;

/** Throws `MulliganError("io")`. Returns the files' names. */
export async function saveOnnx(
  folder: string,
  model: Model,
  { maxBytes = LARGEST_FILE } = {},
): Promise<string[]> {
  const graph = generationGraph(model);
  await makeFolder(folder);
  const bytes = graph.constants.reduce((sum, { data }) => sum + data.byteLength, 0);
  const path = join(folder, "model.onnx");
  if (bytes <= maxBytes) {
    await writeWhole(path, (write) => write(encodeOnnx(graph)));
    return ["model.onnx"];
  }
  const location = "model.onnx_data";
  const external = new Map<string, ExternalData>();
  await writeWhole(join(folder, location), async (write) => {
    let offset = 0;
    for (const { value, data } of graph.constants) {
      if (data.byteLength < PAGE) continue;
      const length = data.byteLength;
      external.set(value.name, { location, offset, length });
      const end = Math.ceil((offset + length) / PAGE) * PAGE;
      await write(new Uint8Array(data.buffer, data.byteOffset, length));
      await write(new Uint8Array(end - offset - length));
      offset = end;
    }
  });
  await writeWhole(path, (write) => write(encodeOnnx(graph, external)));
  return ["model.onnx", location];
}
