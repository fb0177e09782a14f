/** Models that are here, on the hub, broken or nowhere. */
import { cp, mkdtemp, readdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COMMIT, fakeHub } from "../../hub/fake-hub.test.kit.ts";
import { checkModel, checkWeights } from "./model.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-doctor-model-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("a shipped model is found, and its weights open", async () => {
  const { value, ...finding } = await checkModel("mini", {});
  expect(finding).toEqual({ status: "ok", found: expect.stringMatching(/models.mini$/) });
  expect(await checkWeights(value!)).toEqual({
    status: "ok",
    found: expect.stringMatching(/^0\.834 M parameters, SHA-256 [0-9a-f]{12}…$/),
    value: true,
  });
});

test("a model that is nowhere fails with where it was looked for", async () => {
  expect(await checkModel(join(folder, "nowhere"), {})).toEqual({
    status: "failed",
    found: expect.stringContaining("must be a Hugging Face folder"),
    advice: expect.stringContaining("a folder holds config.json"),
  });
});

test("cut-off weights fail, and may not be loaded", async () => {
  const copy = join(folder, "cut");
  await cp("models/mini", copy, { recursive: true });
  await truncate(join(copy, "model.safetensors"), 1000);
  const { status, value } = await checkWeights({ folder: copy, model: copy });
  expect([status, value]).toEqual(["failed", undefined]);
});

test("a model of the hub is looked at without its weights, which are told to be lacking", async () => {
  const names = await readdir("models/mini");
  const files = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join("models/mini", name))] as const)),
  );
  const hub = await fakeHub({ "org/mini": { files } });
  const env = { HF_ENDPOINT: hub.endpoint, HF_HOME: folder };
  const { value, ...finding } = await checkModel("org/mini", { env });
  await hub.close();
  expect(finding).toMatchObject({
    status: "warning",
    found: `org/mini@${COMMIT} can be fetched and is supported, but model.safetensors is not here yet`,
  });
  expect(await checkWeights(value!)).toMatchObject({
    status: "warning",
    found: "not fetched: model.safetensors",
  });
  expect(hub.requests.filter((line) => line.includes("safetensors"))).toEqual([]);
  const offline = await checkModel("org/other", { env: { ...env, HF_HUB_OFFLINE: "1" } });
  expect(offline).toMatchObject({
    status: "failed",
    advice: expect.stringContaining("unset HF_HUB_OFFLINE"),
  });
});
