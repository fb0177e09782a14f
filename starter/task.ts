/** Your task: rows, a prompt for each, and a check that says right or wrong. Try it: npx mulligan check-task task.ts */
import { defineTask } from "mulligan";

/** One line of rows.jsonl. Add any column you like: prompt and verify see all of them. */
interface Row {
  question: string;
  answer: string;
}

export default defineTask<Row>({
  name: "my-task",

  // Beside this file: .jsonl, .json, .csv or .parquet. One file is split 80/10/10; or { train, validation, test }.
  rows: "rows.jsonl",

  // These words fit the shipped miniature. A real model wants a sentence that says how to answer.
  prompt: ({ question }) => question,
  reflectionPrompt: "wrong. reflect",

  // true or false for any text that a model may write. It runs in a process of its own, with time and memory limits.
  verify(text, { answer }) {
    const found = /<answer>(.*?)<\/answer>/.exec(text)?.[1]?.trim();
    return found !== undefined && found === answer;
  },

  // A right answer as the model should write it: check-task sees to it that verify passes it.
  answer: ({ answer }) => `<answer>${answer}</answer>`,
});
