import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { MulliganConfig } from "./config.ts";
import { openSetup } from "./setup.ts";

test("one thread per core becomes the number that a run writes down and goes on with", async () => {
  for (const [asked, used] of [
    [0, availableParallelism()],
    [3, 3],
  ] as const) {
    const settings = MulliganConfig.parse({ model: "mini", task: "countdown", threads: asked });
    const setup = await openSetup(settings, { splits: [] });
    expect(setup.config.threads).toBe(used);
    expect(setup.policy.engine.info.threads).toBe(used);
    await setup.close();
  }
});
