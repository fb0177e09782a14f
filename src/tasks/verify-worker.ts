/**
 * A process of the verifier's pool: loads a task file by itself and answers for its verify function. What the function leaves
 * behind (a rejection nobody waits for, an error in a timer) belongs to the answer under way.
 */
import { setImmediate } from "node:timers/promises";
import { messageOf } from "../core/errors.ts";
import type { Verdict } from "../core/task.ts";
import type { PoolReply, PoolRequest } from "../verify/apart/pool.ts";
import { verifyAnswer } from "../verify/verdict.ts";
import { loadTask } from "./load-task.ts";

const file = process.argv.at(-1)!;
const exit = () => process.exit(1);
const send = (reply: PoolReply, then = () => {}) => process.send?.(reply, then);

/** What went wrong outside the function's own promise while it worked on the answer. */
let stray: Error | undefined;
let fail: ((error: Error) => void) | undefined;

function onStray(error: unknown): void {
  stray = error instanceof Error ? error : new Error(String(error));
  fail?.(stray);
}

try {
  const task = await loadTask(file);
  process.on("unhandledRejection", onStray);
  process.on("uncaughtException", onStray);
  process.on("disconnect", exit);
  process.on("message", async (request: PoolRequest) => {
    const { verdict, ends } = await answerFor(task, request);
    send({ type: "verdict", verdict, ends }, ...(ends ? [exit] : []));
  });
  send({ type: "ready" });
} catch (error) {
  send({ type: "failed", reason: messageOf(error) }, exit);
}

/** After a stray error or a RangeError (no memory, no stack) the process may be unsound: it ends. */
async function answerFor(
  task: Awaited<ReturnType<typeof loadTask>>,
  { answer, row }: PoolRequest,
): Promise<{ verdict: Verdict; ends: boolean }> {
  stray = undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  let ranOut = false;
  const watched = {
    async verify(text: string) {
      try {
        const given = await Promise.race([task.verify(text, row), failed]);
        await setImmediate(); // rejections that nobody waits for are told of by now
        if (stray) throw stray;
        return given;
      } catch (error) {
        ranOut = error instanceof RangeError;
        throw error;
      }
    },
  };
  const verdict = await verifyAnswer(watched, answer, row, { timeoutMs: Number.POSITIVE_INFINITY });
  fail = undefined;
  return { verdict, ends: ranOut || stray !== undefined };
}
