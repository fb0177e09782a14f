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

test("the use of the cache is said, with its reason", () => {
  const written: string[] = [];
  const show = createDownloadView({ write: (text) => written.push(text) });
  show({ type: "from-cache", commit: "0123456789", reason: "https://hub: must be reached" });
  expect(written).toEqual(["https://hub: must be reached; using commit 0123456 from the cache\n"]);
});
