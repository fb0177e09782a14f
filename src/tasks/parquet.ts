/**
 * Parquet, decoded in a thread of its own: of a damaged file the decoder leaves rejected promises behind, or a list as long
 * as a number in it says, and either would end this process. Knows nothing of what the rows mean.
 */
import { Worker } from "node:worker_threads";

/** Heap of the thread. Rows that take more do not fit a run either, which keeps them all. */
const HEAP_MB = 4096;

/** The libraries are named by their places: code without a file finds none by itself. */
const PROGRAM = `
const { parentPort, workerData: { file, hyparquet, hyparquetCompressors } } = require("node:worker_threads");
Promise.all([import(hyparquet), import(hyparquetCompressors)])
  .then(([{ parquetReadObjects }, { compressors }]) => parquetReadObjects({ file, compressors }))
  .then((rows) => parentPort.postMessage(rows));
`;

/** The rows as the decoder gives them: bigints, dates and typed arrays among the values. Throws its error. */
export function decodeParquet(bytes: Uint8Array): Promise<object[]> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const worker = new Worker(PROGRAM, {
    eval: true,
    workerData: {
      file,
      hyparquet: import.meta.resolve("hyparquet"),
      hyparquetCompressors: import.meta.resolve("hyparquet-compressors"),
    },
    transferList: [file],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    execArgv: [],
  });
  return new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
    worker.on("exit", () => reject(new Error("it cannot be decoded")));
  });
}
