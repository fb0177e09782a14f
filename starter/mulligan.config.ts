/** Settings of this task's runs: npx mulligan train. Every one of them: npx mulligan train --help. */
import { defineConfig } from "mulligan";

export default defineConfig({
  task: "task.ts",
  model: "mini", // the shipped miniature, to try things out; then a folder: "./Qwen2.5-0.5B-Instruct"
  outputDir: "runs/first",

  collect: { tries: 4 }, // attempts at each training row; the failed ones are what it learns from
  maxSteps: 10,
  failuresPerStep: 8,
  numGenerations: 8, // reflections on each failure
  maxAttemptLength: 32, // tokens; a real model needs more
  maxCompletionLength: 32,
  eval: { steps: 0 },
});
