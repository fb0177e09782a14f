import { describe, expect, test } from "vitest";
import { wordTask } from "../loop/fakes.test.kit.ts";
import { pickExamples, renderExamples } from "./examples.ts";
import { evaluationFrom, type FailureLetters } from "./fakes.test.kit.ts";

const evaluation = (failures: FailureLetters[]) => evaluationFrom("fffff", "fffff", failures);
const start = evaluation(["s", "f", "f", "f", "f"].map((rescue) => ({ rescue, reflection: "hm" })));
const trained = evaluation([
  { rescue: "s" },
  { rescue: "f" },
  { rescue: "s", leaks: true },
  { rescue: "s", leaks: false, reflection: "say\nit" },
  { rescue: "f" },
]);

describe("pickExamples", () => {
  test("takes a rescue that does not leak, a failure that stays, and the next in the list", () => {
    const ids = pickExamples(start, trained).map((example) => example.trained.failure.problemId);
    expect(ids).toEqual(["q3", "q1", "q0"]);
  });

  test("takes a leaking rescue where there is no other, and fewer where there are none", () => {
    const leaking = evaluation([{ rescue: "f" }, { rescue: "s", leaks: true }]);
    const before = evaluation([{ rescue: "f" }, { rescue: "f" }]);
    const examples = pickExamples(before, leaking);
    expect(
      examples.map(({ title, trained: { failure } }) => [title.split(",")[0], failure.problemId]),
    ).toEqual([
      ["Rescued after training", "q1"],
      ["Not rescued", "q0"],
    ]);
  });
});

test("renderExamples tells each episode from the task to the verdict, before and after", () => {
  const task = wordTask(5);
  const examples = pickExamples(start, trained).slice(0, 1);
  expect(renderExamples(examples, task, task.list)).toBe(
    [
      "1. Rescued after training, not before",
      "   task         q3",
      "   attempt      no",
      "   verdict      failed",
      "   before training",
      "   reflection   hm",
      "   retry        nope",
      "   verdict      failed: not yes",
      "   after training",
      "   reflection   say",
      "                it",
      "   retry        yes",
      "   verdict      solved",
    ].join("\n"),
  );
});

test("renderExamples disarms control characters: a model must not steer the terminal", () => {
  const task = wordTask(1);
  const steering = evaluation([{ rescue: "f", reflection: "\u001b[2Jred\r\u009b31m\ttab" }]);
  const text = renderExamples(pickExamples(steering, steering), task, task.list);
  expect(text).toContain("   reflection   \uFFFD[2Jred\uFFFD\uFFFD31m\ttab\n");
});
