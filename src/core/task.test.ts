import { expect, test } from "vitest";
import { type Message, type Task, withVerify } from "./task.ts";

class Sums implements Task<number> {
  readonly #word = "sum";
  name = "sums";
  bounds = { timeoutMs: 5, maxUnscoredFraction: 1 };
  problems = async () => [{ id: "a", row: 1 }];
  prompt(row: number): Message[] {
    return [{ role: "user", content: `${this.#word} ${row}` }];
  }
  reflectionPrompt = () => "why";
  retryPrompt = (row: number) => `again ${row}`;
  plainRetryPrompt = (row: number) => `wrong ${row}`;
  verify = () => false;
  leaks = (reflection: string) => reflection === "leak";
  answer(row: number) {
    return `${this.#word} is ${row}`;
  }
}

test("another verifier changes nothing else, of an instance of a class with private fields neither", async () => {
  const task = withVerify(new Sums(), () => true);
  expect(task.verify("", 1)).toBe(true);
  expect(task.prompt(1)).toEqual([{ role: "user", content: "sum 1" }]);
  expect([task.name, task.bounds]).toEqual(["sums", { timeoutMs: 5, maxUnscoredFraction: 1 }]);
  expect(await task.problems("train")).toEqual([{ id: "a", row: 1 }]);
  expect([task.reflectionPrompt(1), task.retryPrompt(1), task.plainRetryPrompt(1)]).toEqual([
    "why",
    "again 1",
    "wrong 1",
  ]);
  expect([task.leaks?.("leak", 1), task.answer?.(2)]).toEqual([true, "sum is 2"]);
  const bounds = { timeoutMs: 7, maxUnscoredFraction: 0 };
  expect(withVerify(new Sums(), () => true, bounds).bounds).toEqual(bounds);
});

test("what the task does not have is not made up", () => {
  const { leaks: _, answer: __, bounds: ___, ...plain } = new Sums() as Task<number>;
  const task = withVerify({ ...plain, prompt: () => [] } as Task<number>, () => true);
  expect([task.leaks, task.answer, task.bounds]).toEqual([undefined, undefined, undefined]);
});
