import { expect, test } from "vitest";
import { parseModelConfig } from "./config.ts";
import { cachedRopeTables, ropeTables } from "./rope-tables.ts";

const config = parseModelConfig(
  {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: 10,
    hidden_size: 16,
    intermediate_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 2,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    hidden_act: "silu",
  },
  "test",
);

test("keys turn by position, queries also shrink by 1/√D, the last rows turn nothing", () => {
  const { cos, sin, dims, positions, unturned } = ropeTables(config, 3);
  expect([positions, dims, unturned]).toEqual([3, [8, 4], { key: 6, query: 7 }]);
  for (const [position, i] of [
    [0, 0],
    [1, 1],
    [2, 3],
  ] as const) {
    const angle = position * 10000 ** (-i / 4);
    expect(cos[position * 4 + i]).toBeCloseTo(Math.cos(angle), 6);
    expect(sin[position * 4 + i]).toBeCloseTo(Math.sin(angle), 6);
    expect(cos[(positions + position) * 4 + i]).toBeCloseTo(Math.cos(angle) / Math.sqrt(8), 6);
    expect(sin[(positions + position) * 4 + i]).toBeCloseTo(Math.sin(angle) / Math.sqrt(8), 6);
  }
  const row = (of: Float32Array, at: number) => Array.from(of.slice(4 * at, 4 * at + 4));
  const shrink = Math.fround(1 / Math.sqrt(8));
  expect([row(cos, 6), row(sin, 6)]).toEqual([Array(4).fill(1), Array(4).fill(0)]);
  expect([row(cos, 7), row(sin, 7)]).toEqual([Array(4).fill(shrink), Array(4).fill(0)]);
});

test("kept tables grow when a longer sequence comes, and have a row for its last position", () => {
  const first = cachedRopeTables(config, 64);
  expect(first.positions).toBe(64);
  expect(cachedRopeTables(config, 64)).toBe(first);
  expect(cachedRopeTables(config, 65).positions).toBe(128);
});
