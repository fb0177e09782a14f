/**
 * Verdicts from long-lived child processes that load the verifier themselves: starting one takes longer than most verdicts.
 * A process gives one verdict at a time; one that hangs, crashes or grows is killed and replaced, its answer unscored.
 */
import { readFileSync } from "node:fs";
import { MulliganError } from "../../core/errors.ts";
import type { Verdict } from "../../core/task.ts";
import { type GuardedProcess, startGuarded } from "./guarded-process.ts";
import { unscored, type VerifierLimits } from "./limits.ts";

/** What is sent to a process of the pool. */
export interface PoolRequest {
  answer: string;
  row: unknown;
}

/** What comes back: once that it is ready, or why it never will be; then a verdict for each request. */
export type PoolReply =
  | { type: "ready" }
  | { type: "failed"; reason: string }
  /** `ends`: the process does not answer again. */
  | { type: "verdict"; verdict: Verdict; ends: boolean };

/** Longest start of a process. Loading a task takes well under a second unless the task itself is slow to load. */
const startMs = 60_000;

export interface PoolOptions {
  /** Arguments for Node that start a process of the pool. */
  program: readonly string[];
  limits: VerifierLimits;
  /** See `GuardedOptions`. */
  mark: string;
}

export interface Pool {
  verify(answer: string, row: unknown): Promise<Verdict>;
  close(): Promise<void>;
}

/** Starts the first process, the others when they are needed. Throws `MulliganError("task")` when it cannot start. */
export async function openPool(options: PoolOptions): Promise<Pool> {
  const living = new Set<PooledProcess>();
  let started = 0;
  let isClosed = false;
  const start = async () => {
    const pooled = startPooled({ ...options, mark: `${options.mark}${started++}.` });
    living.add(pooled);
    pooled.ended.then(() => living.delete(pooled));
    await pooled.ready;
    return pooled;
  };
  const idle = [await start()];

  return {
    async verify(answer, row) {
      if (isClosed) return unscored("was closed");
      let pooled = idle.pop();
      while (pooled && !living.has(pooled)) pooled = idle.pop(); // it ended while it had nothing to do
      try {
        pooled ??= await start();
      } catch (error) {
        return unscored(`could not be started again: ${(error as Error).message}`);
      }
      const { verdict, ends } = await pooled.verify({ answer, row });
      if (!ends) idle.push(pooled);
      return verdict;
    },
    async close() {
      isClosed = true;
      await Promise.all(
        [...living].map((pooled) => {
          pooled.kill("was closed");
          return pooled.ended;
        }),
      );
    },
  };
}

type Outcome = Omit<Extract<PoolReply, { type: "verdict" }>, "type">;

interface PooledProcess extends Pick<GuardedProcess, "kill" | "ended"> {
  /** Rejects with `MulliganError("task")`. */
  ready: Promise<void>;
  /** Never rejects; one at a time. */
  verify(request: PoolRequest): Promise<Outcome>;
}

function startPooled({ program, limits, mark }: PoolOptions): PooledProcess {
  const { timeoutMs, memoryMb, maxOutputBytes } = limits;
  // half: V8 then says what happened, where the kernel's limit would just end the process
  const heap = `--max-old-space-size=${Math.floor(memoryMb / 2)}`;
  const guarded = startGuarded([process.execPath, heap, ...program], {
    memoryMb: memoryMb + codeRangeMb(),
    maxOutputBytes,
    mark,
    ipc: true,
  });
  const { child, kill, forget, ended } = guarded;
  /** Whoever waits for the next message, or for the end. */
  let waiting: ((reply: PoolReply) => void) | undefined;
  const settle = (reply: PoolReply) => {
    const settled = waiting;
    waiting = undefined;
    settled?.(reply);
  };
  child.on("message", (reply) => settle(reply as PoolReply));
  ended.then(({ reason }) => settle({ type: "failed", reason }));
  // what waits keeps this process alive by its timer; a pool that has nothing to do must not
  child.unref();
  child.channel?.unref();
  for (const stream of [child.stdout, child.stderr]) (stream as { unref?(): void } | null)?.unref?.();

  const wait = (ms: number) =>
    new Promise<PoolReply>((resolve) => {
      const take = (reply: PoolReply) => {
        clearTimeout(timer);
        resolve(reply);
      };
      const giveUp = () => waiting === take && kill(`took longer than ${ms} ms`);
      // a reply that came in time but while this thread was busy is read before the next immediate
      const timer = setTimeout(() => setImmediate(giveUp), ms);
      waiting = take;
    });

  const ready = wait(startMs).then(async (reply) => {
    if (reply.type === "ready") return;
    const reason = reply.type === "failed" ? reply.reason : "answered before it was asked";
    kill("could not be started");
    await ended;
    throw new MulliganError("task", `the task cannot be loaded in a process of its own: ${reason}`, {
      hint: "its file must load by itself, within --verifier.memory-mb",
    });
  });
  ready.catch(() => {});

  return {
    kill,
    ended,
    ready,
    async verify(request) {
      forget();
      const answered = wait(timeoutMs);
      try {
        child.send(request, (error) => error && kill(`could not be asked: ${error.message}`));
      } catch (error) {
        // the row holds something that cannot be sent, a function for example; the process is sound
        settle({
          type: "verdict",
          verdict: unscored(`cannot be sent this row: ${(error as Error).message}`),
          ends: false,
        });
      }
      const reply = await answered;
      if (reply.type === "verdict") return reply;
      return { verdict: unscored(reply.type === "failed" ? reply.reason : "started anew"), ends: true };
    },
  };
}

/**
 * What V8 maps for compiled code, hardly ever fills, and from Node 24 on (512 MiB) maps writable, so that the kernel counts it.
 * The same here as in a process of the pool.
 */
function codeRangeMb(): number {
  if (process.platform !== "linux") return 0;
  const ranges = readFileSync("/proc/self/maps", "utf8").matchAll(/^([0-9a-f]+)-([0-9a-f]+) rwxp/gm);
  const bytes = [...ranges].map(([, from, to]) => Number.parseInt(to!, 16) - Number.parseInt(from!, 16));
  return Math.ceil(bytes.reduce((sum, size) => sum + size, 0) / 2 ** 20);
}
