/**
 * An adapter as PEFT stores it: adapter_config.json and adapter_model.safetensors. What is saved here loads in PEFT and
 * vLLM; a setting that would change what the adapter computes is understood or refused, never ignored.
 */
import { join } from "node:path";
import { z } from "zod";
import { writeAtomic } from "../../core/atomic-file.ts";
import { MulliganError } from "../../core/errors.ts";
import { readJsonFile } from "../../core/json-file.ts";
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from "../../core/model-folder.ts";
import type { ModelConfig } from "../config.ts";
import { flatSize, parameterView } from "../parameters.ts";
import { openSafetensors, writeSafetensors } from "../safetensors.ts";
import { type Adapter, loraParameters } from "./adapter.ts";

/** PEFT's name of a parameter: its wrapper holds the model twice over. */
const peftName = (name: string) => `base_model.model.${name}`;

/** Ways to begin from other weights than the base's own: such an adapter means nothing beside it. */
const ordinaryStart = z.union([z.boolean(), z.enum(["gaussian", "orthogonal"])]).nullish();

/** Of an adapter; beyond its matrices' width a rank adds nothing. */
const MAX_RANK = 2 ** 14;
/** Each is compared with every projection of the model. Arbitrary: a decoder has seven kinds, and some layers. */
const MAX_TARGETS = 2 ** 12;

/** What is read of PEFT's LoraConfig (0.21), and what must be so. Any other field must be off (isOff) or harmless. */
const AdapterConfig = z.strictObject({
  peft_type: z.literal("LORA"),
  r: z.int().min(1).max(MAX_RANK),
  lora_alpha: z.number().positive(),
  target_modules: z.union([z.array(z.string()).min(1).max(MAX_TARGETS), z.literal("all-linear")]),
  use_rslora: z.boolean().nullish(),
  base_model_name_or_path: z.string().nullish(),
  bias: z.literal("none").nullish(),
  init_lora_weights: ordinaryStart,
});

/** How it was trained, and by what. */
const harmless = new Set(
  `revision task_type auto_mapping inference_mode peft_version runtime_config lora_dropout
  layers_pattern loftq_config megatron_core qalora_group_size ensure_weight_tying`.split(/\s+/),
);

const isOff = (value: unknown) =>
  value === null ||
  value === false ||
  (typeof value === "object" && Object.keys(value as object).length === 0);

/** What an adapter's folder says of its shape, and of the model it belongs to. Throws `MulliganError("checkpoint")` that names the field. */
export async function loadAdapterConfig(folder: string): Promise<Pick<Adapter, "lora" | "base">> {
  const path = join(folder, ADAPTER_CONFIG);
  const json = await readJson(path);
  const isRead = ([name, value]: [string, unknown]) =>
    name in AdapterConfig.shape || !(harmless.has(name) || isOff(value));
  const parsed = AdapterConfig.safeParse(Object.fromEntries(Object.entries(Object(json)).filter(isRead)));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const field = issue.code === "unrecognized_keys" ? issue.keys[0] : issue.path.join(".");
    const value = JSON.stringify((json as Record<string, unknown> | null)?.[field!]) ?? "nothing";
    throw new MulliganError("checkpoint", `${path}: ${field}: not supported, got ${value}`, {
      hint: "plain LoRA is: one rank for all projections, no DoRA, no trained biases or whole modules",
      cause: parsed.error,
    });
  }
  const { r, lora_alpha: alpha, use_rslora, target_modules: targetModules } = parsed.data;
  return {
    lora: { r, alpha, useRslora: use_rslora ?? false, targetModules },
    base: parsed.data.base_model_name_or_path ?? null,
  };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return await readJsonFile(path);
  } catch (cause) {
    throw new MulliganError("checkpoint", `${path}: cannot be read (${(cause as Error).message})`, {
      hint: "an adapter is a folder as PEFT's save_pretrained makes it",
      cause,
    });
  }
}

/** Loads an adapter for that model. Throws `MulliganError("checkpoint")`, and "config" for targets it does not have. */
export async function loadAdapter(folder: string, config: ModelConfig): Promise<Adapter> {
  const { lora, base } = await loadAdapterConfig(folder);
  const parameters = loraParameters(config, lora);
  const file = await openSafetensors(join(folder, ADAPTER_WEIGHTS));
  const hint = `${ADAPTER_CONFIG} says r = ${lora.r}; the adapter may be of another base model`;
  try {
    const known = new Set(parameters.map(({ name }) => peftName(name)));
    const stray = [...file.tensors.keys()].find((name) => !known.has(name));
    if (stray !== undefined) {
      throw new MulliganError("checkpoint", `${file.path}: tensor "${stray}" is not part of the adapter`, {
        hint,
      });
    }
    for (const { name, shape } of parameters) file.check(peftName(name), { shape, hint });
    const flat = new Float32Array(flatSize(parameters));
    for (const parameter of parameters) {
      const { name, shape } = parameter;
      await file.read(peftName(name), { shape, hint, into: parameterView(flat, parameter) });
    }
    return { lora, base, parameters, flat };
  } finally {
    await file.close();
  }
}

/** Writes both files, replacing an adapter that is there. Throws `MulliganError("io")`. */
export async function saveAdapter(folder: string, { lora, base, parameters, flat }: Adapter): Promise<void> {
  const tensors = parameters.map((p) => ({
    name: peftName(p.name),
    shape: p.shape,
    data: parameterView(flat, p),
  }));
  await writeSafetensors(join(folder, ADAPTER_WEIGHTS), tensors);
  const text = JSON.stringify(
    {
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      base_model_name_or_path: base,
      r: lora.r,
      lora_alpha: lora.alpha,
      use_rslora: lora.useRslora,
      target_modules: lora.targetModules,
      lora_dropout: 0,
      bias: "none",
      fan_in_fan_out: false,
      inference_mode: true,
    },
    null,
    2,
  );
  await writeAtomic(join(folder, ADAPTER_CONFIG), `${text}\n`);
}
