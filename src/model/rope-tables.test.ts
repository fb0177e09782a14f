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

test("keys turn by position, queries also shrink by 1/√D, the last row turns nothing", () => {
  const { cos, sin, dims, positions } = ropeTables(config, 3);
  expect([positions, dims]).toEqual([3, [7, 4]]);
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
  expect([...cos.slice(-4), ...sin.slice(-4)]).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
});

test("kept tables grow when a longer sequence comes, and have a row for its last position", () => {
  const first = cachedRopeTables(config, 64);
  expect(first.positions).toBe(64);
  expect(cachedRopeTables(config, 64)).toBe(first);
  expect(cachedRopeTables(config, 65).positions).toBe(128);
});
