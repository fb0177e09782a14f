import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseDataset } from "./dataset-reference.ts";
import { COMMIT, type FakeHub, type FakeRepo, fakeHub, gitSum, sha256 } from "./fake-hub.test.kit.ts";
import { fetchDataset } from "./fetch-dataset.ts";

const LATER = "89abcdef0123456789abcdef0123456789abcdef";
const shard = (n: number) => `data/train-0000${n}-of-00002.parquet`;
const text = (content: string) => Buffer.from(content);
const big = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
const files: FakeRepo["files"] = {
  ".gitattributes": text("*"),
  "README.md": text("---\nlicense: mit\n---\n# rows"),
  [shard(1)]: text("second"),
  [shard(0)]: big,
  "data/test-00000-of-00001.parquet": text("test"),
};
const repos: Record<string, FakeRepo> = {
  "datasets/org/rows": { files },
  "datasets/org/gated": { files, gated: true },
};

let hub: FakeHub;
let home: string;
beforeEach(async () => {
  hub = await fakeHub(repos);
  home = mkdtempSync(join(tmpdir(), "mulligan-dataset-"));
});
afterEach(async () => {
  await hub.close();
  rmSync(home, { recursive: true });
});

const endings = [".parquet", ".jsonl", ".csv"];
const fetchIt = (name: string, env = {}, options = {}) =>
  fetchDataset(parseDataset(name), {
    endings,
    env: { HF_ENDPOINT: hub.endpoint, HF_HOME: home, ...env },
    ...options,
  });
const snapshot = (...path: string[]) =>
  join(home, "hub", "datasets--org--rows", "snapshots", COMMIT, ...path);
const OFFLINE = { HF_HUB_OFFLINE: "1" };
const downloads = () => hub.requests.filter((line) => !line.includes("/api/"));

test("the shards of a split come into the cache that Python uses, in order, and nothing else", async () => {
  const found = await fetchIt("hf:org/rows:train");
  expect(found).toEqual({ commit: COMMIT, files: [snapshot(shard(0)), snapshot(shard(1))] });
  expect(found.files.map((path) => readFileSync(path))).toEqual([big, files[shard(1)]]);
  expect(readFileSync(join(home, "hub", "datasets--org--rows", "refs", "main"), "utf8")).toBe(COMMIT);
  expect(existsSync(join(home, "hub", "datasets--org--rows", "blobs", sha256(big)))).toBe(true);
  expect(existsSync(snapshot("data/test-00000-of-00001.parquet"))).toBe(false);
  expect(downloads()[0]).toBe(`GET /datasets/org/rows/resolve/${COMMIT}/README.md`);
});

test("a file by its path needs no listing but its folder's", async () => {
  expect(await fetchIt(`hf:org/rows/${shard(1)}`)).toEqual({ commit: COMMIT, files: [snapshot(shard(1))] });
  expect(hub.requests[1]).toBe(`GET /api/datasets/org/rows/tree/${COMMIT}/data`);
  await expect(fetchIt("hf:org/rows/data/none.parquet")).rejects.toMatchObject({
    code: "data",
    message: 'dataset "org/rows": must have the file data/none.parquet, got none',
  });
});

test("what is whole in the cache needs no network: offline, or by its commit", async () => {
  const found = await fetchIt("hf:org/rows:train");
  hub.requests.length = 0;
  expect(await fetchIt("hf:org/rows:train", OFFLINE)).toEqual(found);
  expect(await fetchIt(`hf:org/rows@${COMMIT}:train`)).toEqual(found);
  expect(hub.requests).toEqual([]);
  await expect(fetchIt("hf:org/rows:test", OFFLINE)).rejects.toMatchObject({
    code: "hub",
    message: expect.stringContaining("got no data/test-00000-of-00001.parquet in"),
  });
});

test("an interrupted download goes on, and half a split is none, even by its commit", async () => {
  hub.faults.cuts = [40_000, 20_000, 10_000];
  await expect(fetchIt(`hf:org/rows@${COMMIT}:train`)).rejects.toThrow(/must arrive whole/);
  await expect(fetchIt(`hf:org/rows@${COMMIT}:train`, OFFLINE)).rejects.toThrow(`got no ${shard(0)} in`);
  hub.requests.length = 0;
  const { files: paths } = await fetchIt(`hf:org/rows@${COMMIT}:train`);
  expect(downloads()[0]).toMatch(
    /^GET \/datasets\/org\/rows\/resolve\/\w+\/data\/train-00000-of-00002\.parquet bytes=\d+-$/,
  );
  expect(readFileSync(paths[0]!)).toEqual(big);
  rmSync(paths[1]!);
  await expect(fetchIt(`hf:org/rows@${COMMIT}:train`, OFFLINE)).rejects.toThrow(`got no ${shard(1)} in`);
});

test("a commit goes on meaning the same rows when the branch moves", async () => {
  await fetchIt("hf:org/rows:train");
  const moved = { ...files, [shard(1)]: text("other rows") };
  repos["datasets/org/rows"] = { files: moved, revisions: { main: LATER, [LATER]: LATER } };
  try {
    const { commit, files: now } = await fetchIt("hf:org/rows:train");
    expect([commit, String(readFileSync(now[1]!))]).toEqual([LATER, "other rows"]);
    const { files: then } = await fetchIt(`hf:org/rows@${COMMIT}:train`);
    expect(String(readFileSync(then[1]!))).toBe("second");
  } finally {
    repos["datasets/org/rows"] = { files };
  }
});

describe("a cache that Python filled", () => {
  beforeEach(() => {
    const repo = join(home, "hub", "datasets--org--rows");
    for (const folder of ["blobs", "refs", `snapshots/${COMMIT}/data`])
      mkdirSync(join(repo, folder), { recursive: true });
    writeFileSync(join(repo, "refs", "main"), COMMIT);
    writeFileSync(join(repo, "blobs", gitSum(big)), big);
    symlinkSync(`../../../blobs/${gitSum(big)}`, snapshot(shard(0)));
  });

  test("is read by path, offline and with no package", async () => {
    const load = () => Promise.reject(new Error("no such package"));
    const name = `hf:org/rows/${shard(0)}`;
    expect(await fetchIt(name, OFFLINE, { load })).toEqual({ commit: COMMIT, files: [snapshot(shard(0))] });
    await expect(fetchIt(`hf:org/rows/${shard(1)}`, OFFLINE)).rejects.toThrow(`got no ${shard(1)} in`);
  });

  test("does not tell what a split's files are", async () => {
    await expect(fetchIt("hf:org/rows:train", OFFLINE)).rejects.toThrow("got no listing of its files in");
    expect((await fetchIt("hf:org/rows:train")).files).toHaveLength(2);
  });
});

test("a refusal names the data set: gated, not there, no package, too large", async () => {
  await expect(fetchIt("hf:org/gated:train")).rejects.toMatchObject({
    message: `dataset "org/gated": is gated and must be opened to you, got 401 from ${hub.endpoint}`,
    hint: expect.stringContaining(`accept its terms at ${hub.endpoint}/datasets/org/gated and`),
  });
  expect((await fetchIt("hf:org/gated:train", { HF_TOKEN: "hf_x" })).files).toHaveLength(2);
  expect(hub.requests.filter((line) => line.startsWith("GET content") && line.includes("auth"))).toEqual([]);
  await expect(fetchIt("hf:org/none:train")).rejects.toMatchObject({
    code: "hub",
    message: expect.stringMatching(/^dataset "org\/none": must be a repository/),
  });
  const load = () => Promise.reject(new Error("no such package"));
  await expect(fetchIt("hf:org/rows:train", {}, { load })).rejects.toMatchObject({
    message: "a dataset from the hub needs the package @huggingface/hub, which is not there",
    hint: expect.stringContaining("npm install @huggingface/hub"),
  });
  const listing = (entry: Record<string, unknown>) => ({ ...entry, size: 600_000_000 });
  repos["datasets/org/large"] = { files: { [shard(0)]: big, [shard(1)]: big }, listing };
  await expect(fetchIt("hf:org/large:train")).rejects.toThrow(
    'dataset "org/large": must have at most 1073741824 bytes to read, got 1200000000 in 2 files',
  );
  expect(downloads().some((line) => line.includes("large"))).toBe(false);
});

test.each([
  "../evil.parquet",
  "/tmp/evil.parquet",
  "data/../../../evil.parquet",
  "data\\..\\evil.parquet",
  "c:evil.parquet",
])("a listing that names %s leads nowhere", async (path) => {
  const listing = (entry: Record<string, unknown>) =>
    entry.path === "zz.parquet" ? { ...entry, path } : entry;
  repos["datasets/org/evil"] = { files: { ...files, "zz.parquet": text("evil") }, listing };
  const { files: found } = await fetchIt("hf:org/evil:train");
  expect(found).toHaveLength(2);
  expect(existsSync(join(home, "evil.parquet"))).toBe(false);
  expect(hub.requests.filter((line) => line.includes("evil.parquet"))).toEqual([]);
});
