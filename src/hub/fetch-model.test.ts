import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readdir } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  COMMIT,
  type FakeHub,
  type FakeRepo,
  fakeHub,
  gitSum,
  isLarge,
  sha256,
} from "./fake-hub.test.kit.ts";
import type { HubEvent } from "./fetch.ts";
import { type FetchModelOptions, fetchModel } from "./fetch-model.ts";

const NAME = "org/model";
const at = (name: string, revision = "main") => ({ type: "model" as const, name, revision });
const REFERENCE = at(NAME);
const weights = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
const whole: FakeRepo["files"] = {
  ".gitattributes": Buffer.from("*"),
  "README.md": Buffer.from("# model"),
  "config.json": Buffer.from('{"model_type": "llama"}'),
  "consolidated.safetensors": weights,
  "generation_config.json": Buffer.from("{}"),
  "model.safetensors": weights,
  "pytorch_model.bin": weights,
  "tokenizer.json": Buffer.from('{"model": {}}'),
};
const WANTED = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"];
const repos: Record<string, FakeRepo> = {
  [NAME]: { files: whole, revisions: { main: COMMIT, "refs/pr/1": COMMIT, [COMMIT]: COMMIT } },
  "org/gated": { files: whole, gated: true },
};

let hub: FakeHub;
let home: string;
beforeEach(async () => {
  hub = await fakeHub(repos);
  home = mkdtempSync(join(tmpdir(), "mulligan-hub-"));
});
afterEach(async () => {
  await hub.close();
  rmSync(home, { recursive: true });
});

const fetchIt = (reference = REFERENCE, env = {}, options: FetchModelOptions = {}) =>
  fetchModel(reference, { env: { HF_ENDPOINT: hub.endpoint, HF_HOME: home, ...env }, ...options });
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error) => error,
  );
const repoFolder = (...path: string[]) => join(home, "hub", "models--org--model", ...path);
const contents = (folder: string) => readFileSync(join(folder, "model.safetensors"));
const bytesAsked = () => hub.requests.filter((line) => !line.includes("/api/"));

describe("a model of the hub", () => {
  test("comes into the cache that Python uses, with the files that are needed and no others", async () => {
    const events: HubEvent[] = [];
    const model = await fetchIt(REFERENCE, {}, { onEvent: (event) => events.push(event) });
    expect(model).toEqual({ folder: repoFolder("snapshots", COMMIT), commit: COMMIT });
    expect((await readdir(model.folder)).sort()).toEqual(WANTED);
    for (const name of WANTED) expect(readFileSync(join(model.folder, name))).toEqual(whole[name]);
    expect(readFileSync(repoFolder("refs", "main"), "utf8")).toBe(COMMIT);
    expect(readlinkSync(join(model.folder, "model.safetensors"))).toBe(
      join("..", "..", "blobs", sha256(weights)),
    );
    expect((await readdir(repoFolder("blobs"))).sort()).toEqual(
      WANTED.map((name) => (isLarge(name) ? sha256 : gitSum)(whole[name]!)).sort(),
    );
    const total = WANTED.reduce((sum, name) => sum + whole[name]!.length, 0);
    expect(events.at(-1)).toEqual({ type: "downloading", file: "model.safetensors", received: total, total });
    const received = events.map((event) => (event.type === "downloading" ? event.received : Number.NaN));
    expect(received).toEqual([...received].sort((a, b) => a - b));
  });

  test("is asked for again, but not fetched again", async () => {
    await fetchIt();
    hub.requests.length = 0;
    await fetchIt();
    expect(hub.requests).toEqual([
      `GET /api/models/${NAME}/revision/main`,
      `GET /api/models/${NAME}/tree/${COMMIT}`,
    ]);
    hub.requests.length = 0;
    expect(await fetchIt(at(NAME, COMMIT))).toMatchObject({ commit: COMMIT });
    expect(hub.requests).toEqual([]);
  });

  test("without weights, for who asks what the model is; fetched whole the next time", async () => {
    const model = await fetchIt(REFERENCE, {}, { weights: false });
    expect(model).toMatchObject({ commit: COMMIT, missing: "model.safetensors" });
    expect((await readdir(model.folder)).sort()).toEqual(WANTED.filter((name) => !name.startsWith("model.")));
    expect(hub.requests.filter((line) => line.includes("safetensors"))).toEqual([]);
    expect((await readdir((await fetchIt()).folder)).sort()).toEqual(WANTED);
    expect((await fetchIt(REFERENCE, {}, { weights: false })).missing).toBeUndefined();
  });

  test("is looked at before its weights are fetched", async () => {
    const seen: string[][] = [];
    const accept = async (folder: string) => {
      seen.push((await readdir(folder)).sort());
      throw new Error("no such architecture");
    };
    await expect(fetchIt(REFERENCE, {}, { accept })).rejects.toThrow("no such architecture");
    expect(seen).toEqual([WANTED.filter((name) => !isLarge(name))]);
    expect(hub.requests.filter((line) => line.includes("safetensors"))).toEqual([]);
  });

  test("may be a branch with a slash", async () => {
    await fetchIt(at(NAME, "refs/pr/1"));
    expect(readFileSync(repoFolder("refs", "refs", "pr", "1"), "utf8")).toBe(COMMIT);
  });

  test("in shards comes with its index", async () => {
    const shard = (n: number) => `model-0000${n}-of-00002.safetensors`;
    const map = { weight_map: { a: shard(1), b: shard(2) } };
    const { "model.safetensors": _, ...rest } = whole;
    repos["org/shards"] = {
      files: {
        ...rest,
        [shard(1)]: weights,
        [shard(2)]: Buffer.from("b"),
        "model.safetensors.index.json": Buffer.from(JSON.stringify(map)),
      },
    };
    const { folder } = await fetchIt(at("org/shards"));
    expect((await readdir(folder)).sort()).toEqual(
      [
        ...WANTED.filter((name) => name !== "model.safetensors"),
        shard(1),
        shard(2),
        "model.safetensors.index.json",
      ].sort(),
    );
    rmSync(join(folder, shard(2)));
    const offline = fetchIt(at("org/shards"), { HF_HUB_OFFLINE: "1" });
    await expect(offline).rejects.toThrow(`got no ${shard(2)} in`);
  });
});

describe("an interrupted download", () => {
  const partial = (pid = process.pid) =>
    repoFolder("blobs", `${sha256(weights)}.${hostname()}-${pid}.incomplete`);

  test("goes on by itself where one connection broke", async () => {
    hub.faults.cuts = [40_000];
    const { folder } = await fetchIt();
    expect(contents(folder)).toEqual(weights);
    const [first, second] = bytesAsked().filter((line) => line.startsWith("GET content"));
    expect(first).toBe(`GET content/${NAME}/model.safetensors`);
    expect(second).toMatch(/^GET content\/org\/model\/model\.safetensors bytes=\d+-$/);
  });

  test("goes on in the next call where all broke", async () => {
    hub.faults.cuts = [30_000, 20_000, 10_000];
    const error = await failureOf(fetchIt());
    expect(error).toMatchObject({ code: "hub", hint: expect.stringContaining("it goes on from there") });
    expect(error.message).toMatch(/^model\.safetensors: must arrive whole, got \d+ of 100000 bytes/);
    const kept = readFileSync(partial()).length;
    expect(kept).toBeGreaterThan(0);
    expect(existsSync(repoFolder("refs", "main"))).toBe(false);
    hub.requests.length = 0;
    const { folder } = await fetchIt();
    expect(bytesAsked().at(-1)).toBe(`GET content/${NAME}/model.safetensors bytes=${kept}-`);
    expect(contents(folder)).toEqual(weights);
    expect(existsSync(partial())).toBe(false);
  });

  test("goes on where a process left it that ended, and leaves a running one its own", async () => {
    const ended = spawnSync(process.execPath, ["--version"]).pid;
    mkdirSync(repoFolder("blobs"), { recursive: true });
    writeFileSync(partial(ended), weights.subarray(0, 60_000));
    writeFileSync(partial(process.ppid), "theirs");
    expect(contents((await fetchIt()).folder)).toEqual(weights);
    expect(bytesAsked().at(-1)).toBe(`GET content/${NAME}/model.safetensors bytes=60000-`);
    expect([ended, process.ppid].map((pid) => existsSync(partial(pid)))).toEqual([false, true]);
  });

  test("begins anew where the server knows no ranges", async () => {
    Object.assign(hub.faults, { ignoreRange: true, cuts: [40_000] });
    expect(contents((await fetchIt()).folder)).toEqual(weights);
  });

  test("stops for a signal and keeps what came", async () => {
    const controller = new AbortController();
    const stop = fetchIt(
      REFERENCE,
      {},
      {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === "downloading" && event.file === "model.safetensors") controller.abort();
        },
      },
    );
    expect(await failureOf(stop)).toBe(controller.signal.reason);
    expect(existsSync(partial())).toBe(true);
    expect(contents((await fetchIt()).folder)).toEqual(weights);
  });
});

test("a cache that cannot be written is said", async () => {
  writeFileSync(join(home, "file"), "");
  const error = await failureOf(fetchIt(REFERENCE, { HF_HUB_CACHE: join(home, "file", "hub") }));
  expect(error).toMatchObject({ code: "io", message: expect.stringContaining("cannot be written") });
});

describe("contents that are wrong", () => {
  test("on the way get no final name, and come anew the next time", async () => {
    hub.faults.corrupt = true;
    const error = await failureOf(fetchIt());
    expect(error).toMatchObject({ code: "hub", message: expect.stringMatching(/must have the checksum/) });
    expect(await readdir(repoFolder("blobs"))).toEqual([]);
    hub.faults.corrupt = false;
    expect(contents((await fetchIt()).folder)).toEqual(weights);
  });

  test("by their length in the cache are replaced", async () => {
    const { folder } = await fetchIt();
    writeFileSync(repoFolder("blobs", sha256(weights)), weights.subarray(0, 1000));
    expect(contents(folder)).toHaveLength(1000);
    expect(contents((await fetchIt()).folder)).toEqual(weights);
  });

  test("that were kept too long are dropped", async () => {
    mkdirSync(repoFolder("blobs"), { recursive: true });
    const partial = repoFolder("blobs", `${sha256(weights)}.${hostname()}-${process.pid}.incomplete`);
    writeFileSync(partial, Buffer.concat([weights, weights]));
    expect(contents((await fetchIt()).folder)).toEqual(weights);
  });
});

describe("a listing that means harm", () => {
  test.each([
    "../evil.json",
    "../../../evil",
    "/tmp/evil",
    "a/config.json",
    "model-00001-of-00002.safetensors/../../x",
  ])("by the path %s leads nowhere", async (path) => {
    const files = { ...whole, "zz.json": Buffer.from("evil") };
    const listing = (entry: Record<string, unknown>) =>
      entry.path === "zz.json" ? { ...entry, path } : entry;
    repos["org/evil"] = { files, listing };
    const { folder } = await fetchIt(at("org/evil"));
    expect((await readdir(folder)).sort()).toEqual(WANTED);
    expect(await readdir(home)).toEqual(["hub"]);
    expect(await readdir(join(home, "hub"))).toEqual(["models--org--evil"]);
  });

  test("by a checksum or a commit that is none is refused", async () => {
    repos["org/evil"] = { files: whole, listing: (entry) => ({ ...entry, oid: "../../x", lfs: undefined }) };
    const bySum = failureOf(fetchIt(at("org/evil")));
    expect((await bySum).message).toBe(
      ".gitattributes: must have a checksum in the hub's listing, got ../../x",
    );
    repos["org/evil"] = { files: whole, revisions: { main: "../../../x" } };
    const byCommit = failureOf(fetchIt(at("org/evil")));
    expect((await byCommit).message).toContain('must name the commit of "main", got ../../../x');
    expect(existsSync(join(home, "hub"))).toBe(false);
  });
});

describe("a refusal says what to do:", () => {
  test("a gated repository", async () => {
    const reference = at("org/gated");
    const error = await failureOf(fetchIt(reference));
    expect(error).toMatchObject({
      code: "hub",
      message: `model "org/gated": is gated and must be opened to you, got 401 from ${hub.endpoint}`,
      hint: `accept its terms at ${hub.endpoint}/org/gated and use a token that may read it; no token was given (HF_TOKEN)`,
    });
    expect(contents((await fetchIt(reference, { HF_TOKEN: "hf_x\n" })).folder)).toEqual(weights);
  });

  test("a token, which no other host sees, may come from the file that Python's login writes", async () => {
    writeFileSync(join(home, "token"), "hf_file\n");
    await fetchIt(at("org/gated"));
    expect(hub.requests.filter((line) => line.endsWith(" auth"))).toHaveLength(hub.requests.length - 1);
    expect(hub.requests.at(-1)).toBe("GET content/org/gated/model.safetensors");
  });

  test("no such repository, no such revision", async () => {
    const missing = await failureOf(fetchIt(at("org/none")));
    expect(missing.message).toMatch(
      /^model "org\/none": must be a folder here, or a repository that may be read, got 401/,
    );
    expect(missing.hint).toContain("spelling");
    const revision = await failureOf(fetchIt(at(NAME, "v2")));
    expect(revision.message).toMatch(/^model "org\/model": must have the revision "v2", got 404/);
    expect(revision.hint).toContain(`${hub.endpoint}/org/model/tree/main`);
  });

  test.each([
    [401, "HF_TOKEN"],
    [403, "the token given may not read it"],
    [429, "wait"],
    [503, "try again later"],
  ])("status %d", async (status, hint) => {
    hub.faults.status = status;
    const error = await failureOf(fetchIt(REFERENCE, { HF_TOKEN: "hf_bad" }));
    expect(error).toMatchObject({ code: "hub", hint: expect.stringContaining(hint) });
    expect(error.message).toContain(`got ${status}`);
  });

  test("an answer that is no hub's, an endpoint that is none", async () => {
    hub.faults.status = 200;
    const senseless = await failureOf(fetchIt());
    expect(senseless).toMatchObject({ code: "hub", hint: expect.stringContaining("HF_ENDPOINT") });
    const endpoint = await failureOf(fetchIt(REFERENCE, { HF_ENDPOINT: "not a url" }));
    expect(endpoint).toMatchObject({
      code: "hub",
      message: expect.stringMatching(/^HF_ENDPOINT: must be the address/),
    });
  });

  test.each([
    ["pytorch_model.bin", "model.safetensors", "pickled"],
    ["model.Q4_K_M.gguf", "model.safetensors", "GGUF"],
    ["adapter_model.safetensors", "model.safetensors", "LoRA adapter"],
    ["tokenizer.model", "tokenizer.json", "tokenizer.json"],
  ])("a repository with %s but without %s", async (given, lacking, hint) => {
    const { [lacking]: _, "pytorch_model.bin": __, ...rest } = whole;
    repos["org/other"] = { files: { ...rest, [given]: weights } };
    const error = await failureOf(fetchIt(at("org/other")));
    expect(error.message).toBe(`model "org/other": must have ${lacking}, which its repository lacks`);
    expect(error.hint).toContain(hint);
    expect(bytesAsked()).toEqual([]);
  });
});

describe("without the hub", () => {
  const absent = { load: () => Promise.reject(new Error("Cannot find package '@huggingface/hub'")) };
  /** Where nobody listens any more. */
  let nowhere: { HF_ENDPOINT: string };
  beforeEach(async () => {
    const closed = await fakeHub({});
    await closed.close();
    nowhere = { HF_ENDPOINT: closed.endpoint };
  });

  /** As Python's huggingface_hub leaves it, by hand. */
  function pythonsCache(cache: string) {
    const repo = join(cache, "models--org--model");
    const snapshot = join(repo, "snapshots", COMMIT);
    for (const folder of [join(repo, "blobs"), join(repo, "refs"), snapshot])
      mkdirSync(folder, { recursive: true });
    writeFileSync(join(repo, "refs", "main"), COMMIT);
    for (const name of WANTED) {
      const sum = (isLarge(name) ? sha256 : gitSum)(whole[name]!);
      writeFileSync(join(repo, "blobs", sum), whole[name]!);
      symlinkSync(`../../blobs/${sum}`, join(snapshot, name));
    }
    return snapshot;
  }

  test("a cache that Python wrote is read, offline and with no package", async () => {
    const cache = join(home, "other");
    const folder = pythonsCache(cache);
    const model = await fetchIt(REFERENCE, { HF_HUB_OFFLINE: "1", HF_HUB_CACHE: cache }, absent);
    expect(model).toEqual({ folder, commit: COMMIT });
    const pinned = await fetchIt(at(NAME, COMMIT), { ...nowhere, HF_HUB_CACHE: cache }, absent);
    expect(pinned).toEqual(model);
    expect(hub.requests).toEqual([]);
  });

  test("a file that offline is not there is named", async () => {
    const offline = { HF_HUB_OFFLINE: "true" };
    expect((await failureOf(fetchIt(REFERENCE, offline))).message).toBe(
      `model "org/model@main": must be in the cache when HF_HUB_OFFLINE is set, got nothing of it in ${join(home, "hub")}`,
    );
    rmSync(join(pythonsCache(join(home, "hub")), "tokenizer.json"));
    const error = await failureOf(fetchIt(REFERENCE, offline));
    expect(error).toMatchObject({ code: "hub", hint: expect.stringContaining("unset HF_HUB_OFFLINE") });
    expect(error.message).toContain("got no tokenizer.json in");
  });

  test("no network and no package are said, with what to do", async () => {
    const network = await failureOf(fetchIt(REFERENCE, nowhere));
    expect(network).toMatchObject({ code: "hub", hint: expect.stringContaining("HF_HUB_OFFLINE=1") });
    expect(network.message).toBe(
      `model "org/model": ${nowhere.HF_ENDPOINT} must be reached, got ECONNREFUSED`,
    );
    const none = await failureOf(fetchIt(REFERENCE, {}, absent));
    expect(none).toMatchObject({
      code: "hub",
      hint: expect.stringContaining("npm install @huggingface/hub"),
    });
  });

  test("what the cache has whole is used instead, and said", async () => {
    const folder = pythonsCache(join(home, "hub"));
    for (const [env, options, reason] of [
      [nowhere, {}, /ECONNREFUSED/],
      [{}, absent, /@huggingface\/hub/],
    ] as const) {
      const events: HubEvent[] = [];
      const onEvent = (event: HubEvent) => events.push(event);
      expect(await fetchIt(REFERENCE, env, { ...options, onEvent })).toEqual({ folder, commit: COMMIT });
      expect(events).toEqual([{ type: "from-cache", commit: COMMIT, reason: expect.stringMatching(reason) }]);
    }
    // a hub that says no is believed
    hub.faults.status = 403;
    expect((await failureOf(fetchIt())).code).toBe("hub");
  });
});
