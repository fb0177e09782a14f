/** What benchmarks share: two random models, small enough for seconds a step and shaped like Llama, and their reading. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineProfile } from "../src/core/profile.ts";
import { createLocalEngine, type Engine, type LocalEngineOptions } from "../src/engine/index.ts";
import { parseModelConfig } from "../src/model/config.ts";
import { type Model, saveModel } from "../src/model/folder.ts";
import { initParameters, parameterShapes } from "../src/model/parameters.ts";

/** hidden, layers, heads, intermediate, vocabulary */
const SHAPES = { S: [128, 4, 4, 352, 80], M: [256, 6, 8, 704, 512] } as const;
export type ShapeName = keyof typeof SHAPES;

function randomModel(name: ShapeName): Model {
  const [hidden, layers, heads, intermediate, vocabulary] = SHAPES[name];
  const config = parseModelConfig(
    {
      architectures: ["LlamaForCausalLM"],
      model_type: "llama",
      vocab_size: vocabulary,
      hidden_size: hidden,
      intermediate_size: intermediate,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: heads,
      max_position_embeddings: 1024,
      rms_norm_eps: 1e-5,
      hidden_act: "silu",
      tie_word_embeddings: true,
    },
    `shape ${name}`,
  );
  return { config, parameters: parameterShapes(config), flat: initParameters(config, 1) };
}

/** The engine as users have it, on a model of random weights; the folder that it is read from is removed at once. */
export async function openRandomModel(name: ShapeName, options: LocalEngineOptions): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), "mulligan-bench-"));
  try {
    await saveModel(folder, randomModel(name));
    return await createLocalEngine(folder, options);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** `--name value` of the command line. */
export function argument(name: string, fallback: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
}

/** The most memory this process ever held. */
export const peakMebibytes = () => Math.round(process.resourceUsage().maxRSS / 1024);

/** The largest shares of an engine's time, on stderr: graph, calls, milliseconds a run, then its ops. */
export function printProfile(profile: EngineProfile | undefined): void {
  for (const { graph, runs, seconds, ops } of profile ?? []) {
    const inOps = ops.reduce((sum, op) => sum + op.seconds, 0);
    console.error(`${graph}: ${runs} runs, ${seconds.toFixed(2)} s, ${inOps.toFixed(2)} s in ops`);
    for (const { op, calls, seconds: s } of ops.slice(0, 12)) {
      console.error(
        `  ${op.padEnd(28)} ${((100 * s) / inOps).toFixed(1).padStart(5)} % ${(s * 1000).toFixed(0).padStart(7)} ms ${calls}`,
      );
    }
  }
}
