import { expect, test } from "vitest";
import { wordTask } from "../loop/fakes.test.kit.ts";
import { evaluatePolicy, failuresOf } from "./evaluation.ts";
import { evaluationOptions, partPolicy } from "./fakes.test.kit.ts";
import { swapReflections } from "./swap.ts";

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
