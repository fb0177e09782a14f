import { expect, test } from "vitest";
import { subsetsOf } from "./dataset-card.ts";
import { pickRowFiles } from "./dataset-files.ts";
import { parseDataset } from "./dataset-reference.ts";
import { fitsPattern } from "./file-pattern.ts";

const ENDINGS = [".parquet", ".jsonl", ".csv"];
const pick = async (name: string, paths: readonly string[], card = "") =>
  pickRowFiles(parseDataset(name), { paths, subsets: await subsetsOf(card, "a/b") }, ENDINGS);
const failure = async (run: () => unknown) => {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};

test.each([
  ["hf:org/name", { name: "org/name", revision: "main", rows: {} }],
  ["hf:org/name:train", { name: "org/name", revision: "main", rows: { split: "train" } }],
  ["hf:org/name@v1:main/test", { name: "org/name", revision: "v1", rows: { subset: "main", split: "test" } }],
  ["hf:org/name/a/b.csv", { name: "org/name", revision: "main", rows: { path: "a/b.csv" } }],
  [
    "hf:org/name@refs/convert/parquet/main/train/0000.parquet",
    { name: "org/name", revision: "refs/convert/parquet", rows: { path: "main/train/0000.parquet" } },
  ],
  ["hf:org/name@refs/pr/7:train", { name: "org/name", revision: "refs/pr/7", rows: { split: "train" } }],
])("%s names rows", (text, reference) => {
  expect(parseDataset(text)).toEqual({ type: "dataset", ...reference });
});

test.each([
  "hf:name",
  "hf:../name",
  "hf:org/name@",
  "hf:org/name@..:train",
  "hf:org/name:",
  "hf:org/name:a/b/c",
  "hf:org/name:../x",
  "hf:org/name/",
  "hf:org/name/../x.csv",
  "hf:org/name/a//b.csv",
  "hf:org/name/a\\b.csv",
  "hf:org/name/a\0.csv",
])("%j is refused", async (text) => {
  expect(await failure(() => parseDataset(text))).toMatchObject({
    code: "data",
    hint: expect.stringMatching(/^hf:/),
  });
});

test.each([
  ["data/train-00000-of-00002.parquet", "data/train-*.parquet", true],
  ["data/train-00000-of-00002.parquet", "data/test-*", false],
  ["a/b/c.csv", "**/*.csv", true],
  ["c.csv", "**/*.csv", true],
  ["a/b/c.csv", "a/**", true],
  ["a/b/c.csv", "*/c.csv", false],
  ["a/b.csv", "a/*b*.csv", true],
  ["ab", "ab*b", false],
  ["a.csv", "a?csv", false],
  [".git/a.csv", "**/a.csv", false],
  [".a.csv", "*.csv", false],
  ["(a+)+.csv", "(a+)+.csv", true],
])("%s fits %s: %s", (path, pattern, fits) => {
  expect(fitsPattern(path, pattern)).toBe(fits);
});

test("a pattern of many stars takes no time", () => {
  const stars = `${"a*".repeat(200)}b`;
  expect(fitsPattern("a".repeat(255), stars)).toBe(false);
  expect(fitsPattern("a/".repeat(500), `${"**/".repeat(300)}b`)).toBe(false);
});

test.each([
  [
    "sharded",
    [
      "data/train-00001-of-00002.parquet",
      "data/train-00000-of-00002.parquet",
      "data/test-00000-of-00001.parquet",
    ],
    "train",
    [1, 0],
  ],
  ["one file a split", ["train.jsonl", "valid.jsonl", "test.jsonl", "dataset_infos.json"], "validation", [1]],
  ["a keyword in the name", ["my_train_file.csv", "my-eval.csv"], "test", [1]],
  ["folders", ["train/b.csv", "train/a.csv", "dev/c.csv"], "train", [1, 0]],
  ["a split of another name", ["data/easy-00000-of-00001.parquet"], "easy", [0]],
  ["no split named, several there", ["test.csv", "train.csv"], undefined, [1]],
  ["no split named, only one there", ["test.csv"], undefined, [0]],
  ["nothing in the names", ["rows.csv"], "train", [0]],
  ["a word that only holds the keyword", ["constrained.csv"], "train", [0]],
] as const)("by their names: %s", async (_, paths, split, expected) => {
  const name = split === undefined ? "hf:a/b" : `hf:a/b:${split}`;
  expect(await pick(name, paths)).toEqual(expected.map((i) => paths[i]));
});

const CARD = `---
license: mit
configs:
- config_name: main
  data_files:
  - split: train
    path: main/train-*
  - split: test
    path:
    - main/extra.parquet
    - main/test-*
- config_name: socratic
  data_dir: socratic
dataset_info:
- config_name: main
  features: []
---
# Card`;
const CARD_PATHS = [
  "README.md",
  "main/extra.parquet",
  "main/test-00000-of-00001.parquet",
  "main/train-00000-of-00002.parquet",
  "main/train-00001-of-00002.parquet",
  "socratic/test.parquet",
  "socratic/train.parquet",
];

test("a card's patterns are followed in its order", async () => {
  expect(await pick("hf:a/b:main/train", CARD_PATHS, CARD)).toEqual(CARD_PATHS.slice(3, 5));
  expect(await pick("hf:a/b:main/test", CARD_PATHS, CARD)).toEqual(CARD_PATHS.slice(1, 3));
  expect(await pick("hf:a/b:socratic/train", CARD_PATHS, CARD)).toEqual(["socratic/train.parquet"]);
  const other = CARD.replace("config_name: main", "config_name: default");
  expect(await pick("hf:a/b:train", CARD_PATHS, other)).toEqual(CARD_PATHS.slice(3, 5));
  const plain = '---\nconfigs: [{config_name: x, data_files: "*.csv"}]\n---';
  expect(await pick("hf:a/b", ["b.csv", "a.csv", "c.jsonl"], plain)).toEqual(["a.csv", "b.csv"]);
});

test("without subsets in the card a folder may be named as one, as in the hub's Parquet versions", async () => {
  const paths = ["main/test/0000.parquet", "main/train/0000.parquet", "other/train/0000.parquet"];
  expect(await pick("hf:a/b@refs/convert/parquet:main/train", paths)).toEqual(["main/train/0000.parquet"]);
});

test.each([
  ["hf:a/b:train", CARD_PATHS, CARD, /several subsets/, /main, socratic/],
  ["hf:a/b:none/train", CARD_PATHS, CARD, /the subset "none"/, /main, socratic/],
  ["hf:a/b:main/none", CARD_PATHS, CARD, /the split "none"/, /train, test/],
  ["hf:a/b:x/train", ["train.csv"], "", /the subset "x"/, /no subsets/],
  ["hf:a/b:test", ["train.csv"], "", /the split "test"/, /splits are train/],
  ["hf:a/b:train", ["x/train.csv", "y/train.csv"], "", /x\/train\.csv and y\/train\.csv/, /by path/],
  ["hf:a/b:train", ["train.csv", "train.jsonl"], "", /of one kind/, /by path/],
  ["hf:a/b:train", ["b.py", "README.md"], "", /got only \.py/, /not run; .*refs\/convert\/parquet/],
  ["hf:a/b:train", ["train/data-00000-of-00001.arrow"], "", /got only \.arrow/, /Arrow files are not read/],
  ["hf:a/b:train", ["train/1.png", "train/2.jpg"], "", /got only \.jpg, \.png|\.png, \.jpg/, /images/],
  ["hf:a/b:train", ["train.jsonl.gz"], "", /got only \.gz/, /compressed/],
  ["hf:a/b:train", [], "", /got only nothing/, /./],
  ["hf:a/b/a.arrow", ["a.arrow"], "", /a\.arrow must be a \.parquet/, /Arrow/],
  ["hf:a/b/c.csv", ["a.csv"], "", /the file c\.csv, got none/, /a\.csv/],
] as const)("%s of %j is refused with what there is", async (name, paths, card, message, hint) => {
  const error = await failure(() => pick(name, paths, card));
  expect(error).toMatchObject({
    code: "data",
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
});

test.each([
  [
    "an option that changes how a file is read",
    'configs: [{config_name: x, data_files: a.csv, sep: "\\t"}]',
    /sep/,
  ],
  ["another wildcard", "configs: [{config_name: x, data_files: 'a[0-9].csv'}]", /no wildcard but/],
  ["no YAML", "configs: [", /declare files/],
  ["no list", "configs: 3", /configs/],
  [
    "a bomb of aliases",
    `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghi"].map((key, i) => `${key}: &${key} [${`*${"abcdefgh"[i]},`.repeat(9)}]`).join("\n")}\nconfigs: *i`,
    /./,
  ],
])("a card with %s is refused", async (_, yaml, message) => {
  const error = await failure(() => subsetsOf(`---\n${yaml}\n---\n`, "a/b"));
  expect(error).toMatchObject({
    code: "data",
    message: expect.stringMatching(message),
    hint: expect.stringMatching(/by path/),
  });
});

test("a card without front matter, or without subsets, declares none", async () => {
  expect(await subsetsOf("# rows", "a/b")).toEqual([]);
  expect(await subsetsOf("---\nlicense: mit\n---\n", "a/b")).toEqual([]);
  expect(await subsetsOf("---\r\n# nothing\r\n---\r\n", "a/b")).toEqual([]);
});
