/**
 * A task of one's own: rows, a prompt, a yes/no check. Run it with
 * `npx mulligan train --task examples/multiplication.ts --model <folder> --output-dir runs/multiplication`.
 */
import { createRng, defineTask } from "mulligan";

interface Row {
  a: number;
  b: number;
}

const rng = createRng(1);
const rows: Row[] = Array.from({ length: 500 }, () => ({ a: rng.int(2, 99), b: rng.int(2, 99) }));

export default defineTask<Row>({
  name: "multiplication",
  rows,
  prompt: ({ a, b }) => `What is ${a} times ${b}? Answer with the number only.`,
  verify: (answer, { a, b }) => answer.replace(/\D/g, "") === String(a * b),
  answer: ({ a, b }) => String(a * b),
});
