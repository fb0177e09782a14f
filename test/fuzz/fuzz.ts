/**
 * Tries readers with mutated files in processes of their own. What is allowed is success or a MulliganError, within two
 * seconds of computing and a bounded memory; anything else is a fault, kept with the numbers that repeat it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Outcome {
  /** The mutated one. */
  file: string;
  /** Of computing. */
  ms: number;
  /** The process's peak above what it had before; 0 where an earlier case went higher. */
  megabytes: number;
  /** Did it get past the parser? */
  isParsed: boolean;
  /** Was it refused by an error of ours? */
  isOurs: boolean;
  /** What must not happen. */
  fault?: string;
}

export interface Fault {
  reader: string;
  case: number;
  fault: string;
}

export interface Tally {
  reader: string;
  outcomes: Outcome[];
  faults: Fault[];
}

/** Longest computing of a case. */
export const MAX_CASE_MS = 2000;
/** A case that took so long by the clock hangs, however busy the machine is. */
const MAX_WAIT_MS = 30_000;
/** Longest start of a process. */
const MAX_START_MS = 120_000;

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));

/** Cases `from` to `to` of a reader. A process that dies or hangs is replaced, and goes on with the next case. */
export async function fuzz(reader: string, seed: number, from: number, to: number): Promise<Tally> {
  const tally: Tally = { reader, outcomes: [], faults: [] };
  const blame = (n: number, fault: string) => tally.faults.push({ reader, case: n, fault });
  for (let next = from; next < to; ) {
    let current: number | undefined;
    const ending = await watch([reader, String(seed), String(next), String(to)], (line) => {
      if (typeof line === "number") current = line;
      else {
        tally.outcomes.push(line);
        if (line.fault !== undefined) blame(current!, line.fault);
        else if (line.ms > MAX_CASE_MS) blame(current!, `took ${Math.round(line.ms)} ms`);
        next = current! + 1;
      }
    });
    if (next >= to) break;
    if (current !== next) throw new Error(`${reader}: no case could be tried: ${ending}`);
    blame(next++, ending);
  }
  return tally;
}

/** Runs a child and hands on what it says; resolves with how it ended. */
function watch(args: readonly string[], onLine: (line: number | Outcome) => void): Promise<string> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["--import", "tsx", "--max-old-space-size=1024", CHILD, ...args],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let [stderr, hung] = ["", false];
  let timer: NodeJS.Timeout;
  const wait = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      hung = true;
      child.kill("SIGKILL");
    }, ms);
  };
  wait(MAX_START_MS);
  child.stderr!.on("data", (chunk) => (stderr = (stderr + chunk).slice(-4000)));
  const lines = createInterface({ input: child.stdout! });
  lines.on("line", (line) => {
    wait(MAX_WAIT_MS);
    onLine(JSON.parse(line));
  });
  return new Promise((resolve) => {
    let ended: string | undefined;
    const settle = (how?: string) => {
      if (ended !== undefined) return resolve(ended);
      ended = how ?? "";
    };
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      const how = hung ? `hung for ${MAX_WAIT_MS} ms` : `ended its process (${signal ?? code})\n${stderr}`;
      if (ended === undefined) ended = how;
      else resolve(how);
    });
    lines.on("close", () => settle());
  });
}

/** One row a reader, and the sums. */
export function tableOf(tallies: readonly Tally[]): string {
  const head = [
    "reader",
    "cases",
    "past parse",
    "our errors",
    "successes",
    "slowest ms",
    "most MB",
    "faults",
  ];
  const most = (numbers: readonly number[]) => Math.round(numbers.reduce((a, b) => Math.max(a, b), 0));
  const row = (name: string, outcomes: readonly Outcome[], faults: number) => [
    name,
    outcomes.length,
    `${Math.round((100 * outcomes.filter(({ isParsed }) => isParsed).length) / Math.max(1, outcomes.length))} %`,
    outcomes.filter(({ isOurs }) => isOurs).length,
    outcomes.filter(({ isOurs }) => !isOurs).length,
    most(outcomes.map(({ ms }) => ms)),
    most(outcomes.map(({ megabytes }) => megabytes)),
    faults,
  ];
  const rows = tallies.map(({ reader, outcomes, faults }) => row(reader, outcomes, faults.length));
  const all = tallies.flatMap(({ outcomes }) => outcomes);
  rows.push(
    row(
      "all",
      all,
      tallies.reduce((sum, { faults }) => sum + faults.length, 0),
    ),
  );
  return [head, head.map(() => "--"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
