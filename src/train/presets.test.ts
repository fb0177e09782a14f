import { describe, expect, test } from "vitest";
import { MulliganConfig } from "./config.ts";
import { type PresetName, presetConfig, presets } from "./presets.ts";

describe.each(Object.keys(presets) as PresetName[])("preset %s", (name) => {
  test("is a valid configuration", () => {
    expect(MulliganConfig.parse(presetConfig(name))).toMatchObject(presetConfig(name));
  });

  test("says where each value comes from", () => {
    const { values } = presets[name];
    expect(new Set(values.map(({ key }) => key)).size).toBe(values.length);
    for (const { note } of values) expect(note).not.toBe("");
  });
});

test("the paper's preset holds what the paper is quoted for", () => {
  expect(presetConfig("paper")).toMatchObject({
    learnFrom: "reflection",
    beta: 0.001,
    learningRate: 5e-7,
    failuresPerStep: 256,
    collect: { tries: 64 },
  });
});
