/** Prompts of a given length whose answers are right by chance, so that groups have signal without skill. */
import { defineTask } from "../src/tasks/define-task.ts";

/** Tokens of a prompt, about: every letter is one of the shipped tokenizer's. */
const LETTERS = Number(process.env.PROMPT_TOKENS ?? 200);

export default defineTask({
  name: "parity",
  rows: Array.from({ length: 400 }, (_, id) => ({ id })),
  prompt: ({ id }) => `copy: ${id} `.padEnd(LETTERS, "qxw"),
  reflectionPrompt: "wrong. reflect",
  retryPrompt: "again",
  verify: (answer) => answer.length % 2 === 0,
});
