import { expect, test } from "vitest";
import { hubSettings } from "./settings.ts";

const HOME = "/no/such/home";

test("without variables all is where Python's huggingface_hub has it", async () => {
  expect(await hubSettings({ HOME })).toEqual({
    endpoint: "https://huggingface.co",
    cache: "/no/such/home/.cache/huggingface/hub",
    token: undefined,
    offline: false,
  });
});

test.each([
  [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
  [{ XDG_CACHE_HOME: "/x", HF_HOME: "/hf" }, "/hf/hub"],
  [{ HF_HOME: "~/hf" }, "/no/such/home/hf/hub"],
  [{ HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
  [{ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "~/new" }, "/no/such/home/new"],
])("%j puts the cache at %s", async (env, cache) => {
  expect((await hubSettings({ HOME, ...env })).cache).toBe(cache);
});

test("token, endpoint and offline mode come from variables", async () => {
  const env = { HOME, HF_TOKEN: " hf_a\n", HUGGING_FACE_HUB_TOKEN: "hf_b", HF_ENDPOINT: "https://mirror/" };
  expect(await hubSettings(env)).toMatchObject({ token: "hf_a", endpoint: "https://mirror" });
  expect((await hubSettings({ HOME, HUGGING_FACE_HUB_TOKEN: "hf_b" })).token).toBe("hf_b");
  for (const value of ["1", "ON", "yes", "True"]) {
    expect((await hubSettings({ HOME, HF_HUB_OFFLINE: value })).offline).toBe(true);
  }
  expect((await hubSettings({ HOME, TRANSFORMERS_OFFLINE: "1" })).offline).toBe(true);
  expect((await hubSettings({ HOME, HF_HUB_OFFLINE: "0" })).offline).toBe(false);
});

test.each([
  ["HF_TOKEN", "hf_secret\nsecond"],
  ["HF_TOKEN", "hf_secret\u00e9"],
  ["HF_ENDPOINT", "https://user:secret@mirror"],
  ["HF_ENDPOINT", "user:secret@mirror"],
])("%s that cannot be used is refused without a word of the secret: %j", async (name, value) => {
  const error = await hubSettings({ HOME, [name]: value }).catch((error) => error);
  expect(error).toMatchObject({ code: "hub", message: expect.stringContaining(`${name}: must `) });
  expect(`${error.message} ${error.hint}`).not.toContain("secret");
});
