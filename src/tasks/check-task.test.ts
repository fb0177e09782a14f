import { describe, expect, test } from "vitest";
import type { VerifierAnswer } from "../core/task.ts";
import { checkTask, isSound } from "./check-task.ts";
import { defineTask } from "./define-task.ts";

interface Row {
  id: number;
  question: string;
  answer: string;
}

const rows: Row[] = Array.from({ length: 60 }, (_, i) => ({
  id: i,
  question: `${i} + 1?`,
  answer: String(i + 1),
}));

const check = (verify: (text: string, row: Row) => VerifierAnswer, changes: object = {}, count = 20) =>
  checkTask(defineTask<Row>({ name: "sums", rows, prompt: (row) => row.question, verify, ...changes }), {
    rows: count,
  });

/** Verdicts by probe: [solved, failed, unscored]. */
const countsOf = ({ probes }: Awaited<ReturnType<typeof check>>) =>
  Object.fromEntries(probes.map(({ name, solved, failed, unscored }) => [name, [solved, failed, unscored]]));

test("a verifier that passes the gold answers and fails junk is sound", async () => {
  const found = await check((text, { answer }) => text === answer);
  expect(countsOf(found)).toEqual({
    "gold answer": [20, 0, 0],
    "gold among other words": [0, 20, 0],
    "other rows' gold answers": [0, 20, 0],
    empty: [0, 20, 0],
    "random text": [0, 20, 0],
    "the prompt itself": [0, 20, 0],
  });
  expect([isSound(found), found.changed, found.name]).toEqual([true, 0, "sums"]);
  const { train, validation, test: tested } = found.problems;
  expect(train + validation + tested).toBe(60);
  expect(found.example.prompt).toMatch(/^\d+ \+ 1\?$/);
});

test("so is one that finds the answer among other words", async () => {
  const found = await check((text, { answer }) => new RegExp(`^${answer}$`, "m").test(text));
  expect([countsOf(found)["gold among other words"], isSound(found)]).toEqual([[20, 0, 0], true]);
});

describe("is not sound:", () => {
  test("a verifier that passes junk", async () => {
    const found = await check((text, { answer }) => text.includes(answer) || text === "");
    expect(isSound(found)).toBe(false);
    expect(countsOf(found).empty).toEqual([20, 0, 0]);
    const [surprise] = found.probes.find(({ name }) => name === "empty")!.surprises;
    expect(surprise).toMatchObject({ answer: "", verdict: { kind: "solved" } });
  });

  test("one that takes any answer that looks like one", async () => {
    const found = await check((text) => /^\d+$/.test(text));
    expect([countsOf(found)["other rows' gold answers"], isSound(found)]).toEqual([[20, 0, 0], false]);
  });

  test("one that fails the gold answers", async () => {
    const found = await check((text, { answer }) => text === `<answer>${answer}</answer>`);
    expect([countsOf(found)["gold answer"], isSound(found)]).toEqual([[0, 20, 0], false]);
    const corrected = await check((text, { answer }) => text === `<answer>${answer}</answer>`, {
      answer: (row: Row) => `<answer>${row.answer}</answer>`,
    });
    expect(isSound(corrected)).toBe(true);
  });

  test("one that cannot judge junk", async () => {
    const found = await check((text, { answer }) => JSON.parse(text) === Number(answer));
    expect([countsOf(found)["gold answer"], countsOf(found).empty]).toEqual([
      [20, 0, 0],
      [0, 0, 3],
    ]);
    const [surprise] = found.probes.find(({ name }) => name === "empty")!.surprises;
    expect(surprise!.verdict).toEqual({
      kind: "unscored",
      cause: expect.stringMatching(/^the verifier threw: Unexpected end/),
    });
    expect(isSound(found)).toBe(false);
  });
});

test("rows that share answers are sound, though many another row's answer is right too", async () => {
  const yesNo = rows.map(({ id, question }) => ({ id, question, answer: `${id}: ${id % 2 ? "yes" : "no"}` }));
  // the number before the word does not matter: every second row's answer is right
  const found = await check((text, { answer }) => text.split(" ")[1] === answer.split(" ")[1], {
    rows: yesNo,
  });
  expect([countsOf(found)["other rows' gold answers"], isSound(found)]).toEqual([[0, 20, 0], true]);
});

test("a verifier that changes its mind is told of", async () => {
  const seen = new Set<string>();
  const found = await check((text, { id }) => {
    const isNew = !seen.has(`${id} ${text}`);
    seen.add(`${id} ${text}`);
    return isNew && text === String(id + 1);
  });
  expect(found.changed).toBe(20); // every gold answer passes once
});

test("without gold answers only junk is tried", async () => {
  const found = await check(() => false, { answer: () => undefined });
  expect(countsOf(found)["gold answer"]).toEqual([0, 0, 0]);
  expect([countsOf(found).empty, isSound(found)]).toEqual([[0, 20, 0], true]);
});

test("rows are spaced over the splits, and no more than there are", async () => {
  const tried = new Set<number>();
  await check(
    (_, { id }) => {
      tried.add(id);
      return false;
    },
    {},
    1000,
  );
  expect(tried.size).toBe(60);
});

test("a prompt or answer that throws names the problem", async () => {
  const answer = () => {
    throw new TypeError("no such column");
  };
  await expect(check(() => true, { answer })).rejects.toMatchObject({
    code: "task",
    message: expect.stringMatching(/^problem "\d+": answer threw: TypeError: no such column$/),
  });
});

test("rows are judged side by side, as many as there are workers, to the same result", async () => {
  let [inFlight, most] = [0, 0];
  const verify = async (text: string, { answer, id }: Row) => {
    most = Math.max(most, ++inFlight);
    await new Promise((done) => setTimeout(done, id % 3));
    inFlight--;
    return text === answer || (text === "" && id % 2 === 0);
  };
  const task = defineTask<Row>({ name: "sums", rows, prompt: (row) => row.question, verify });
  const [alone, together] = [
    await checkTask(task, { rows: 20 }),
    await checkTask(task, { rows: 20, workers: 6 }),
  ];
  expect(most).toBe(6);
  expect(together.probes).toEqual(alone.probes);
  expect(together.probes.find(({ name }) => name === "empty")!.surprises.length).toBe(3);
});
