/** How many reflections hold a complete solution (method.md §8.7): measured and reported, never rewarded or punished. */
import type { Episode } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import { type Rows, rowOf } from "./verdicts.ts";

/** Whether the episode's reflection leaks a solution, or undefined when the task cannot tell. */
export function leaksSolution(
  task: Task,
  { problemId, reflection }: Pick<Episode, "problemId" | "reflection">,
  rows: Rows,
): boolean | undefined {
  try {
    return task.leaks?.(reflection.text, rowOf(rows, problemId));
  } catch (cause) {
    if (cause instanceof MulliganError) throw cause;
    throw new MulliganError(
      "task",
      `task "${task.name}": leaks must return true or false for any text, threw "${cause}" on problem "${problemId}"`,
      { cause },
    );
  }
}
