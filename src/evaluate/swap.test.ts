import { expect, test } from "vitest";
import { wordTask } from "../loop/fakes.test.kit.ts";
import { evaluatePolicy, failuresOf } from "./evaluation.ts";
import { evaluationOptions, partPolicy } from "./fakes.test.kit.ts";
import { renderSwap, swapCells, swapReflections } from "./swap.ts";

const task = wordTask(3);
const options = { ...evaluationOptions, controls: false };

test("swapReflections puts one model's reflections in the other's mouth, with the same draws", async () => {
  // both retriers obey "good"; only the trained reflector says it
  const retry = (_: string, reflection: string) => (reflection === "good" ? "yes" : "no");
  const start = partPolicy({ reflection: () => "bad", retry });
  const trained = partPolicy({ reflection: (problem) => (problem === "q1" ? "bad" : "good"), retry });
  const before = await evaluatePolicy(start.policy, task, task.list, options);
  const after = await evaluatePolicy(trained.policy, task, task.list, {
    ...options,
    fixedFailures: failuresOf(before),
  });
  const sampled = start.requests().length;
  expect(await swapReflections(after, start.policy, task, task.list)).toEqual(["solved", "failed", "solved"]);
  expect(await swapReflections(before, trained.policy, task, task.list)).toEqual(Array(3).fill("failed"));
  // its own policy's reflections give the evaluation's own retries again
  expect(await swapReflections(after, trained.policy, task, task.list)).toEqual(
    after.failures.map(({ verdict }) => verdict.kind),
  );
  const retries = trained.requests().slice(-3);
  expect(start.requests().slice(sampled)).toEqual(retries);
});

test("swapCells sets each cell's rescue against the starting model's own, as the table shows", async () => {
  const retry = (_: string, reflection: string) => (reflection === "good" ? "yes" : "no");
  const start = partPolicy({ reflection: () => "bad", retry });
  const trained = partPolicy({ reflection: () => "good", retry });
  const before = await evaluatePolicy(start.policy, task, task.list, options);
  const after = await evaluatePolicy(trained.policy, task, task.list, {
    ...options,
    fixedFailures: failuresOf(before),
  });
  const cells = swapCells(
    before,
    after,
    // one of three solved, and one of the two that could be scored
    { trainedReflector: ["solved", "failed", "failed"], trainedRetrier: ["unscored", "solved", "failed"] },
    { seed: 1, resamples: 200 },
  );
  expect(cells.map(({ rescue }) => rescue.estimate)).toEqual([0, 1 / 3, 1 / 2, 1]);
  expect(cells.map(({ gain }) => gain.estimate)).toEqual([0, 1 / 3, 1 / 2, 1]);
  const lines = renderSwap(cells).split("\n");
  expect(lines[2]).toBe("starting model  starting model     0.0 %");
  expect(lines[3]).toMatch(/^trained model {3}starting model {4}33.3 % {2}\+33.3 \[0.0, \+100.0\]$/);
  expect(lines[5]).toBe("trained model   trained model    100.0 %  +100.0 [+100.0, +100.0]");
});
