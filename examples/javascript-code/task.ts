/**
 * A task whose answers are programs: the model writes a JavaScript function, tests decide. The code runs in a sandbox
 * (npm install quickjs-emscripten@0.32), inside the verifier's process; nothing of it ever runs in the training's.
 */
import { defineTask, lastCodeBlock, verifyJavaScript } from "mulligan";

/** One line of rows.jsonl. */
interface Row {
  question: string;
  /** Expressions that must be true once the code has run. */
  tests: string[];
  solution: string;
}

export default defineTask<Row>({
  name: "javascript-code",
  rows: "rows.jsonl",
  prompt: ({ question }) => `${question}\nAnswer with JavaScript in a \`\`\`js block, and nothing else.`,
  verify: (text, { tests }) => verifyJavaScript(lastCodeBlock(text), tests),
  answer: ({ solution }) => `\`\`\`js\n${solution}\n\`\`\``,
});
