/** A task of one's own: sums from a CSV file, in the words that the shipped miniature knows. See README.md beside it. */
import { defineTask, lastAnswerTag } from "mulligan";

/** A line of rows.csv: all values of a CSV file are text. */
interface Row {
  id: string;
  a: string;
  b: string;
  answer: string;
}

const question = ({ a, b }: Row) => `add: ${a}+${b}`;

export default defineTask<Row>({
  name: "own-task",
  rows: "rows.csv",
  prompt: question,
  reflectionPrompt: "wrong. reflect",
  plainRetryPrompt: (row) => `wrong. again\n${question(row)}`,
  verify: (text, { answer }) => lastAnswerTag(text)?.trim() === answer,
  answer: ({ answer }) => `<answer>${answer}</answer>`,
});
