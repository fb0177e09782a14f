/** The plan's arithmetic. test/e2e/disk-plan.test.ts holds it against a run. */
import { expect, test } from "vitest";
import { MulliganConfig } from "./config.ts";
import { bytesOfAll, planDisk } from "./disk-plan.ts";

const planOf = (changes: object) =>
  planDisk(
    MulliganConfig.parse({ maxSteps: 10, eval: { steps: 0 }, ...changes }),
    { all: 1000, trained: 100 },
    { tokens: 50, turns: 3 },
  );
const checkpointsOf = (changes: object) => planOf(changes)[0]!.name;

test("checkpoints lie there with their optimiser's state, the model, and what was sampled", () => {
  const uses = planOf({ saveSteps: 4 });
  expect(uses).toEqual([
    { name: "3 checkpoints", bytes: 3 * 12 * 100 },
    { name: "trained model", bytes: 4 * 1000 },
    { name: "what was sampled", bytes: 40 * 50 + 400 * 3 },
  ]);
  expect(bytesOfAll(uses)).toBe(3600 + 4000 + 3200);
});

test("as many checkpoints as are kept, and the one being written", () => {
  expect(checkpointsOf({ saveSteps: 0 })).toBe("1 checkpoint");
  expect(checkpointsOf({ saveSteps: 1, saveTotalLimit: 2 })).toBe("3 checkpoints");
  expect(checkpointsOf({ saveSteps: 5, saveTotalLimit: 2 })).toBe("2 checkpoints");
  expect(checkpointsOf({ maxSteps: 0 })).toBe("0 checkpoints");
});

test("a limit of one keeps the newest, and where a run validates the best one too", () => {
  const one = { saveSteps: 1, saveTotalLimit: 1 };
  expect(checkpointsOf(one)).toBe("2 checkpoints");
  expect(checkpointsOf({ ...one, eval: { steps: 5 } })).toBe("3 checkpoints");
  expect(checkpointsOf({ ...one, eval: { steps: 5 }, maxSteps: 2 })).toBe("2 checkpoints");
});
