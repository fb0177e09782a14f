import { expect, test } from "vitest";
import { requireDevice } from "./index.ts";

test("the CPU is always there", async () => {
  await expect(requireDevice("cpu")).resolves.toBeUndefined();
});

// The runtime brings this provider on macOS only, and none of its own elsewhere.
test.skipIf(process.platform === "darwin")("a device without a provider is refused by name", async () => {
  const error = await requireDevice("coreml").catch((e: unknown) => e);
  expect(error).toMatchObject({
    code: "engine",
    message: expect.stringMatching(/^device: "coreml" cannot be used here \(.*not found.*\)$/),
    hint: expect.stringContaining("use cpu"),
  });
});
