import { expect, test } from "vitest";
import type { VerifierAnswer } from "../../core/task.ts";
import { defineTask } from "../../tasks/define-task.ts";
import { checkVerifier } from "./verifier.ts";

const rows = Array.from({ length: 30 }, (_, i) => ({ id: i, question: `${i} + 1?`, answer: `${i + 1}` }));
type Row = (typeof rows)[number];
const never = new AbortController().signal;
const check = (
  verify: (text: string, row: Row) => VerifierAnswer | Promise<VerifierAnswer>,
  changes: object = {},
  patience = never,
) => {
  const task = defineTask<Row>({ name: "sums", rows, prompt: (row) => row.question, verify, ...changes });
  return checkVerifier(task, 1, patience);
};

test("a verifier that passes gold and fails junk is fine", async () => {
  expect(await check((text, { answer }) => text === answer)).toEqual({
    status: "ok",
    found: expect.stringMatching(/^5 gold answers pass, junk fails; a verdict takes [\d.]+ ms$/),
  });
});

test("one that passes junk fails", async () => {
  expect(await check((text, { answer }) => text === answer || text === "")).toEqual({
    status: "failed",
    found: "empty: 5 of 5 pass",
    advice: expect.stringContaining("check-task"),
  });
});

test("one that fails gold, or cannot judge, fails", async () => {
  expect((await check(() => false)).found).toBe("gold answer: 5 of 5 fail");
  expect((await check(() => null)).found).toMatch(/^gold answer: 3 of 3 cannot be judged; /);
});

test("one that is never tried on a right answer is warned of", async () => {
  expect(await check(() => false, { answer: () => undefined })).toMatchObject({
    status: "warning",
    found: expect.stringMatching(/^junk fails, but no gold answers to try/),
  });
});

test("one that changes its mind is warned of", async () => {
  let asked = 0;
  expect(await check((text, { answer }) => text === answer && asked++ % 2 === 0)).toMatchObject({
    status: "warning",
    found: "5 answers were judged twice and got another verdict",
  });
});

test("one that takes all the time there is fails", async () => {
  const patience = new AbortController();
  let asked = 0;
  const slow = (text: string, { answer }: Row) => {
    if (++asked === 4) patience.abort();
    return text === answer;
  };
  expect(await check(slow, {}, patience.signal)).toMatchObject({
    status: "failed",
    found: "gave too few verdicts in the time that there was",
  });
});
