/**
 * Opens what verifies a task's answers, apart from this process: a pool of processes for a function in a file, a command, or
 * an endpoint. All of them keep the same limits, and none ever throws or lets an answer's verdict depend on another's.
 */
import { setMaxListeners } from "node:events";
import type { Verdict } from "../../core/task.ts";
import { type CommandVerifier, verifyByCommand } from "./command.ts";
import { type EndpointVerifier, verifyByEndpoint } from "./endpoint.ts";
import { MARK } from "./guarded-process.ts";
import { unscored, type VerifierLimits } from "./limits.ts";
import { openPool } from "./pool.ts";
import { createQueue } from "./queue.ts";
import { endStragglers } from "./stragglers.ts";

/** A verifier that is not a function. */
export type ExternalVerifier = CommandVerifier | EndpointVerifier;

export type VerifierSource =
  /** Arguments for Node that start a process which loads a function and answers for it (`pool.ts`). */
  { program: readonly string[] } | ExternalVerifier;

export interface Verifier {
  /** Verdicts are made in the order asked for, `workers` at once. Never rejects. */
  verify(answer: string, row: unknown): Promise<Verdict>;
  /** Ends every process at once; what was not verified yet is unscored. */
  close(): Promise<void>;
}

let opened = 0;

/** `folder` is where a command runs. Throws `MulliganError("task")` when a process of the pool cannot start. */
export async function openVerifier(
  source: VerifierSource,
  limits: VerifierLimits,
  folder: string,
): Promise<Verifier> {
  const mark = `${process.pid}.${opened++}.`;
  const closing = new AbortController();
  const { signal } = closing;
  setMaxListeners(limits.workers, signal); // one each; Node warns of more than ten
  const pool = "program" in source ? await openPool({ ...source, limits, mark }) : undefined;
  let commands = 0;
  const verifyNow = (answer: string, row: unknown): Promise<Verdict> => {
    if ("command" in source) {
      const own = { ...limits, mark: `${mark}${commands++}.`, cwd: folder, signal };
      return verifyByCommand(source, answer, row, own);
    }
    if ("url" in source) return verifyByEndpoint(source, answer, row, { ...limits, signal });
    return pool!.verify(answer, row);
  };
  const inTurn = createQueue(limits.workers);
  return {
    verify: (answer, row) =>
      inTurn(async () => (signal.aborted ? unscored("was closed") : verifyNow(answer, row))),
    async close() {
      closing.abort();
      await pool?.close();
      endStragglers(MARK, mark); // what commands left behind, outside their group
    },
  };
}
