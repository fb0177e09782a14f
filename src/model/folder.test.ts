import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseModelConfig } from "./config.ts";
import { loadModel, type Model, saveModel } from "./folder.ts";
import { initParameters, parameterShapes, parameterView } from "./parameters.ts";
import { openSafetensors, type Tensor, writeSafetensors } from "./safetensors.ts";

const json = {
  model_type: "llama",
  vocab_size: 11,
  hidden_size: 8,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 32,
};

function makeModel(changes: object = {}): Model {
  const config = parseModelConfig({ ...json, ...changes }, "config.json");
  return { config, parameters: parameterShapes(config), flat: initParameters(config, 1) };
}

const tensorsOf = ({ parameters, flat }: Model): Tensor[] =>
  parameters.map((p) => ({ name: p.name, shape: p.shape, data: parameterView(flat, p).slice() }));

let root: string;
let folder: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "folder-"));
});
afterAll(() => rm(root, { recursive: true }));
beforeEach(() => {
  folder = join(root, `model-${count++}`);
});

const weights = () => join(folder, "model.safetensors");

describe("saving and loading", () => {
  test.each([
    ["untied llama", {}],
    ["tied llama", { tie_word_embeddings: true }],
    ["llama with every bias", { attention_bias: true, mlp_bias: true }],
    ["qwen2", { model_type: "qwen2", head_dim: 6 }],
    ["qwen3", { model_type: "qwen3", head_dim: 6 }],
    ["mistral with a window", { model_type: "mistral", sliding_window: 5 }],
    ["phi3", { model_type: "phi3" }],
    ["smollm3", { model_type: "smollm3", no_rope_layers: [1, 0] }],
  ])("gives back the same weights and config: %s", async (_, changes) => {
    const model = makeModel(changes);
    await saveModel(folder, model);
    const loaded = await loadModel(folder);
    expect(loaded.flat).toEqual(model.flat);
    expect(loaded.parameters).toEqual(model.parameters);
    expect({ ...loaded.config, json: null }).toEqual({ ...model.config, json: null });
    expect(await readdir(folder)).toEqual(["config.json", "model.safetensors"]);
  });

  test.each([
    ["F16", 2 ** -11, "float16"],
    ["BF16", 2 ** -8, "bfloat16"],
  ] as const)(
    "stores %s within half a unit of its last place and names it",
    async (dtype, tolerance, name) => {
      const model = makeModel();
      await saveModel(folder, model, { dtype });
      const { flat, config } = await loadModel(folder);
      // Below 2^-14 a half is subnormal: steps of 2^-24.
      const isNear = (value: number, i: number) =>
        Math.abs(value - model.flat[i]!) <= Math.abs(model.flat[i]!) * tolerance + 2 ** -25;
      expect(flat.every(isNear)).toBe(true);
      expect(config.json.torch_dtype).toBe(name);
      // What a 16-bit type holds is exact from then on.
      await saveModel(folder, { ...model, flat }, { dtype });
      expect((await loadModel(folder)).flat).toEqual(flat);
    },
  );

  test("splits into shards with transformers' names and an index, and reads them back", async () => {
    const model = makeModel();
    await saveModel(folder, model, { maxShardBytes: 2000 });
    const files = (await readdir(folder)).sort();
    expect(files[0]).toBe("config.json");
    expect(files.at(-1)).toBe("model.safetensors.index.json");
    const shards = files.slice(1, -1);
    expect(shards).toEqual(shards.map((_, i) => `model-0000${i + 1}-of-0000${shards.length}.safetensors`));
    expect(shards.length).toBeGreaterThan(2);
    const index = JSON.parse(await readFile(join(folder, "model.safetensors.index.json"), "utf8"));
    expect(index.metadata.total_size).toBe(4 * model.parameters.reduce((sum, { size }) => sum + size, 0));
    expect(Object.keys(index.weight_map)).toEqual(model.parameters.map(({ name }) => name));
    for (const shard of shards) {
      const file = await openSafetensors(join(folder, shard));
      const bytes = [...file.tensors.values()].reduce((sum, { size }) => sum + 4 * size, 0);
      expect(bytes).toBeLessThanOrEqual(2000);
      await file.close();
    }
    expect((await loadModel(folder)).flat).toEqual(model.flat);
  });

  test("replaces another model in place, whatever its layout, and keeps the other files", async () => {
    await saveModel(folder, makeModel({ num_hidden_layers: 1 }), { maxShardBytes: 2000 });
    await writeFile(join(folder, "tokenizer.json"), "{}");
    const model = makeModel();
    await saveModel(folder, model);
    expect((await readdir(folder)).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    await saveModel(folder, model, { maxShardBytes: 4000 });
    expect(await readdir(folder)).not.toContain("model.safetensors");
    expect((await loadModel(folder)).flat).toEqual(model.flat);
  });

  test("leaves the model as it was when saving fails, and says why", async () => {
    const model = makeModel();
    await saveModel(folder, model);
    await expect(saveModel(folder, { ...model, flat: model.flat.subarray(0, 64) })).rejects.toMatchObject({
      code: "io",
    });
    expect(await readdir(folder)).toEqual(["config.json", "model.safetensors"]);
    expect((await loadModel(folder)).flat).toEqual(model.flat);
    await expect(saveModel(join(weights(), "below-a-file"), model)).rejects.toMatchObject({
      code: "io",
      message: expect.stringContaining("below-a-file: cannot be written"),
    });
  });
});

describe("folders of other tools", () => {
  test("ignores rotary buffers, which follow from the config", async () => {
    const model = makeModel();
    await saveModel(folder, model);
    const buffer = {
      name: "model.layers.0.self_attn.rotary_emb.inv_freq",
      shape: [1],
      data: Float32Array.of(1),
    };
    await writeSafetensors(weights(), [...tensorsOf(model), buffer]);
    expect((await loadModel(folder)).flat).toEqual(model.flat);
  });

  test("accepts a tied model's redundant head only when it equals the embedding", async () => {
    const model = makeModel({ tie_word_embeddings: true });
    await saveModel(folder, model);
    const [embedding, ...rest] = tensorsOf(model);
    const head = { ...embedding!, name: "lm_head.weight", data: embedding!.data.slice() };
    await writeSafetensors(weights(), [embedding!, ...rest, head]);
    expect((await loadModel(folder)).flat).toEqual(model.flat);
    head.data[87] = 5;
    await writeSafetensors(weights(), [embedding!, ...rest, head]);
    await expect(loadModel(folder)).rejects.toMatchObject({
      code: "checkpoint",
      message: expect.stringContaining(
        'tensor "lm_head.weight" must equal model.embed_tokens.weight, got 5 for',
      ),
    });
  });
});

describe("bad folders", () => {
  const model = makeModel();
  const failure = async () => {
    const error = await loadModel(folder).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "MulliganError" });
    return error as { code: string; message: string; hint?: string };
  };
  beforeEach(() => saveModel(folder, model));

  test("names the file that is missing", async () => {
    await rm(weights());
    expect(await failure()).toMatchObject({ code: "checkpoint", message: `${weights()}: no such file` });
    await writeFile(join(folder, "pytorch_model.bin"), "");
    expect((await failure()).hint).toContain("safe_serialization");
    await rm(join(folder, "config.json"));
    expect((await failure()).message).toBe(`${join(folder, "config.json")}: cannot be read (ENOENT)`);
    await rm(folder, { recursive: true });
    expect((await failure()).hint).toContain("config.json and model.safetensors");
  });

  test("says when config.json is not JSON", async () => {
    await writeFile(join(folder, "config.json"), "{");
    expect(await failure()).toMatchObject({
      code: "model",
      message: expect.stringContaining("must be JSON"),
    });
  });

  test("says when the weights are cut off", async () => {
    await truncate(weights(), 3000);
    expect(await failure()).toMatchObject({
      code: "checkpoint",
      message: expect.stringContaining("it is cut off"),
    });
  });

  test("names the tensor that is missing and the config fields it follows from", async () => {
    await writeSafetensors(weights(), tensorsOf(model).slice(0, -1));
    const error = await failure();
    expect(error.message).toBe(`${weights()}: tensor "lm_head.weight" is missing, expected shape [11, 8]`);
    expect(error.hint).toContain("tie_word_embeddings = false");
  });

  test("names the tensor of another shape, both shapes and the config fields", async () => {
    const other = makeModel({ num_key_value_heads: 4 });
    await writeSafetensors(weights(), tensorsOf(other));
    const error = await failure();
    expect(error.message).toBe(
      `${weights()}: tensor "model.layers.0.self_attn.k_proj.weight" has shape [8, 8], expected [4, 8]`,
    );
    expect(error.hint).toContain("num_key_value_heads = 2");
  });

  test("refuses a tensor that the model would leave out", async () => {
    await writeSafetensors(weights(), tensorsOf(makeModel({ num_hidden_layers: 3 })));
    const error = await failure();
    expect(error.message).toContain(
      'tensor "model.layers.2.input_layernorm.weight" is not part of the model',
    );
    expect(error.hint).toContain("num_hidden_layers = 2");
    await writeSafetensors(weights(), tensorsOf(makeModel({ attention_bias: true })));
    expect((await failure()).message).toContain(
      '"model.layers.0.self_attn.q_proj.bias" is not part of the model',
    );
  });

  test("names a missing shard, and refuses an index that points outside the folder", async () => {
    await saveModel(folder, model, { maxShardBytes: 4000 });
    const index = join(folder, "model.safetensors.index.json");
    const first = (await readdir(folder)).find((file) => file.startsWith("model-00001"))!;
    await rename(join(folder, first), join(folder, "away"));
    expect((await failure()).message).toBe(`${join(folder, first)}: cannot be opened (ENOENT)`);
    await writeFile(index, JSON.stringify({ weight_map: { a: `../${first}` } }));
    expect((await failure()).message).toBe(`${index}: weight_map must map tensors to files of this folder`);
    await writeFile(index, "{");
    expect((await failure()).message).toContain("must be JSON");
  });

  test("names the shard that lacks a tensor the index promises", async () => {
    await rename(weights(), join(folder, "model-00001-of-00001.safetensors"));
    const names = model.parameters.map(({ name }) => name);
    await writeSafetensors(join(folder, "model-00001-of-00001.safetensors"), tensorsOf(model).slice(1));
    const weight_map = Object.fromEntries(names.map((name) => [name, "model-00001-of-00001.safetensors"]));
    await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map }));
    expect((await failure()).message).toContain(
      'model-00001-of-00001.safetensors: tensor "model.embed_tokens.weight" is missing',
    );
  });
});

const golden = new URL("../../../shared/golden/", import.meta.url);
describe.skipIf(!existsSync(golden))("golden models", () => {
  test.each([
    ["llama31-rope-untied", 170_432],
    ["qwen2-tied", 98_880],
  ])("%s loads in both config forms and survives a save", async (name, size) => {
    const source = join(fileURLToPath(golden), name);
    const model = await loadModel(source);
    expect(model.parameters.reduce((sum, parameter) => sum + parameter.size, 0)).toBe(size);
    await mkdir(folder);
    await cp(join(source, "model.safetensors"), weights());
    await cp(join(source, "config.v5.json"), join(folder, "config.json"));
    const v5 = await loadModel(folder);
    expect(v5.flat.every((value, i) => value === model.flat[i])).toBe(true);
    const copy = join(root, `${name}-copy`);
    await saveModel(copy, v5);
    const again = await loadModel(copy);
    expect(again.flat.every((value, i) => value === model.flat[i])).toBe(true);
    expect({ ...again.config, json: null }).toEqual({ ...model.config, json: null });
  });
});
