import { expect, test } from "vitest";
import { createDownloadView } from "./download-view.ts";

test("a download is shown in megabytes on a line that ends with it", () => {
  const written: string[] = [];
  const show = createDownloadView({ write: (text) => written.push(text) });
  const file = "model.safetensors";
  for (const received of [1_500_000, 20_000_000]) {
    show({ type: "downloading", file, received, total: 20_000_000 });
  }
  expect(written).toEqual([
    expect.stringMatching(/^download MB {2}2\/20 {2}model\.safetensors {2}.* left\n$/),
    expect.stringMatching(/^download MB {2}20\/20 {2}model\.safetensors {2}.*\n$/),
  ]);
});

test("a second download has a line of its own, and an end that is told twice none", () => {
  const written: string[] = [];
  const show = createDownloadView({ write: (text) => written.push(text) });
  for (const [file, received, total] of [
    ["README.md", 1_000_000, 1_000_000],
    ["README.md", 1_000_000, 1_000_000],
    ["train.parquet", 3_000_000, 3_000_000],
  ] as const) {
    show({ type: "downloading", file, received, total });
  }
  expect(written).toEqual([
    expect.stringMatching(/^download MB {2}1\/1 {2}README\.md/),
    expect.stringMatching(/^download MB {2}3\/3 {2}train\.parquet/),
  ]);
});

test("the use of the cache is said, with its reason", () => {
  const written: string[] = [];
  const show = createDownloadView({ write: (text) => written.push(text) });
  show({ type: "from-cache", commit: "0123456789", reason: 'model "org/m": https://hub must be reached' });
  expect(written).toEqual([
    'model "org/m": https://hub must be reached; using commit 0123456 from the cache\n',
  ]);
});

test("nothing that a server names steers the terminal", () => {
  const written: string[] = [];
  const show = createDownloadView({ write: (text) => written.push(text) });
  show({ type: "from-cache", commit: "0123456789", reason: "\u001b[2Jgone" });
  show({ type: "downloading", file: "\u009b1m\u0007", received: 1, total: 1 });
  expect(written.join("")).not.toMatch(/(?!\n)\p{Cc}/u);
});
