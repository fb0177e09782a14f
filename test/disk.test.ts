/** Reads the imports of src/: what changes a disk goes through core/disk.ts, where tests can break it (docs/decisions/0016). */
import { readdirSync, readFileSync } from "node:fs";
import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../src/", import.meta.url));

const CHANGES =
  /^(write|append|copy|cp|rm|rename|unlink|mkdir|truncate|symlink|link|chmod|utimes|createWriteStream)/;

/** Write what is no part of a run, or what nobody keeps. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "cli/commands/init.ts": "new files beside the user's, never replacing one",
  "core/fault.ts": "the log of the points themselves",
  "engine/local/bench.ts": "a temporary folder",
  "graph/profile.ts": "a temporary folder",
  "hub/cache.ts": "a cache: links, whose contents have checksums",
  "hub/download.ts": "a cache, checked against its checksum",
  "hub/fetch-dataset.ts": "the folder of a cache's listing",
  "hub/partial-file.ts": "a cache, checked against its checksum",
  "log/tensorboard/tensorboard.ts":
    "for others to read: records that are cut off are passed over, and failures cost a warning",
  "store/folder-claim.ts": "the probe whether a folder can be written",
  "store/run-lock.ts": "made by one link, so that two processes cannot both make it; of no use after the run",
  "train/doctor/folder.ts": "the probe whether a folder can be written",
};

function importsOf(source: string): string[] {
  const lists = [...source.matchAll(/import \{([^}]*)\} from "node:fs(?:\/promises)?"/g)];
  return lists.flatMap(([, names]) => names!.split(",").map((name) => name.trim().split(" ")[0]!));
}

const changesIn = (source: string) => importsOf(source).filter((name) => CHANGES.test(name));

test("nothing changes a disk but core/disk.ts", () => {
  const paths = (readdirSync(root, { recursive: true }) as string[]).map((path) => path.replaceAll(sep, "/"));
  const sources = paths.filter((path) => path.endsWith(".ts") && !/\.test(\.kit)?\.ts$/.test(path));
  const found = sources.filter((path) => changesIn(readFileSync(root + path, "utf8")).length > 0);
  expect(found.sort()).toEqual(Object.keys(EXCEPTIONS).sort());
});

test("the rule can fail", () => {
  expect(changesIn('import { readFile, writeFile } from "node:fs/promises";')).toEqual(["writeFile"]);
  expect(changesIn('import {\n  existsSync,\n  rmSync as remove,\n} from "node:fs";')).toEqual(["rmSync"]);
  expect(changesIn('import { readFile } from "node:fs/promises";')).toEqual([]);
});
