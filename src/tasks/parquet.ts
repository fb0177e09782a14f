/**
 * Parquet, decoded in a thread of its own: of a damaged file the decoder leaves rejected promises behind, or a list as long
 * as a number in it says, and either would end this process. Knows nothing of what the rows mean.
 */
import { Worker } from "node:worker_threads";

/** Heap of the thread. Rows that take more do not fit a run either, which keeps them all. */
const HEAP_MB = 4096;

/** What a file may ask for: a few of its bytes can say that one value is meant a billion times. All are arbitrary. */
const LIMITS = {
  /** As the file's own list of contents counts them, and their values in all columns. */
  rows: 10_000_000,
  values: 100_000_000,
  /** Of decoding, in milliseconds; the list may be wrong. */
  ms: 300_000,
};

/** The libraries are named by their places: code without a file finds none by itself. */
const PROGRAM = `
const { parentPort, workerData: { file, limits, hyparquet, hyparquetCompressors } } = require("node:worker_threads");
const sum = (numbers) => numbers.reduce((total, number) => total + Number(number), 0);
const requireAtMost = (what, count) => {
  if (count > limits[what]) throw new RangeError(\`must have at most \${limits[what]} \${what}, got \${count}\`);
};
Promise.all([import(hyparquet), import(hyparquetCompressors)])
  .then(([{ parquetMetadata, parquetReadObjects }, { compressors }]) => {
    const metadata = parquetMetadata(file);
    const groups = metadata.row_groups;
    requireAtMost("rows", Math.max(Number(metadata.num_rows), sum(groups.map((group) => group.num_rows))));
    const columns = groups.flatMap((group) => group.columns);
    requireAtMost("values", sum(columns.map((column) => column.meta_data?.num_values ?? 0)));
    return parquetReadObjects({ file, metadata, compressors });
  })
  .then((rows) => parentPort.postMessage(rows));
`;

/** The rows as the decoder gives them: bigints, dates and typed arrays among the values. Throws its error. */
export async function decodeParquet(bytes: Uint8Array, limits = LIMITS): Promise<object[]> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const worker = new Worker(PROGRAM, {
    eval: true,
    workerData: {
      file,
      limits,
      hyparquet: import.meta.resolve("hyparquet"),
      hyparquetCompressors: import.meta.resolve("hyparquet-compressors"),
    },
    transferList: [file],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    execArgv: [],
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      worker.on("message", resolve);
      worker.on("error", reject);
      worker.on("exit", () => reject(new Error("it cannot be decoded")));
      timer = setTimeout(() => reject(new Error(`it takes longer than ${limits.ms} ms`)), limits.ms);
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
