/**
 * What is tortured: a small run of the built command line in processes of its own, and what its folder must hold whenever
 * such a process has ended, however it did.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { argvFrom, type Flags, makeTinyModel, tiny } from "../e2e/tiny.test.kit.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where each process is started; its run folder lies in it under the same name, which the run writes down. */
const OUTPUT = "run";

export interface Bench {
  /** Built program, model and task. */
  folder: string;
  remove(): void;
  /** A new folder to start processes in. */
  place(name: string): Promise<string>;
}

/** Long enough for the verifier to be found at work. */
const TASK = `import { defineTask } from "mulligan/tasks";
import { setTimeout as sleep } from "node:timers/promises";
export default defineTask({
  name: "parity",
  rows: Array.from({ length: 60 }, (_, i) => ({ question: "copy: " + i })),
  prompt: (row) => row.question,
  reflectionPrompt: "wrong. reflect",
  verify: async (answer) => {
    await sleep(3);
    return answer.length % 2 === 0;
  },
});
`;

/** Everything that a run may do: a journal of several lines, failures collected anew, validation, a checkpoint a step. */
const WHOLE = {
  ...tiny,
  ...{ "--task-options": "{}", "--task": "../task.ts", "--model": "../model" },
  ...{ "--max-steps": 3, "--save-steps": 1, "--eval.steps": 2 },
  ...{ "--collect.tries": 3, "--collect.max-failures-per-problem": 1, "--collect.refresh-steps": 2 },
  "--verifier.workers": 1,
};
/** What a fork goes on from; in the bench's folder. */
const PARENT = "parent";

/** The runs that are tortured. */
export const RUNS = {
  reflection: WHOLE,
  answer: { ...WHOLE, "--learn-from": "answer" },
  fork: { "--fork": `../${PARENT}/${OUTPUT}/checkpoint-1`, "--learning-rate": 0.02, "--verifier.workers": 1 },
} as const satisfies Record<string, Flags>;
export type RunName = keyof typeof RUNS;

/** Builds the sources as they are now, away from dist/, which other tests may be building. */
export async function setUpBench(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), "mulligan-torture-"));
  const at = (name: string) => join(folder, name);
  const build = ["-p", join(root, "tsconfig.build.json"), "--noCheck", "--declaration", "false"];
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  execFileSync(process.execPath, [tsc, ...build, "--outDir", at("dist")], { stdio: "inherit" });
  cpSync(join(root, "src/report/page"), at("dist/report/page"), { recursive: true });
  copyFileSync(join(root, "package.json"), at("package.json"));
  symlinkSync(join(root, "node_modules"), at("node_modules"));
  await makeTinyModel(at("model"));
  await writeFile(at("task.ts"), TASK);
  await mkdir(at(PARENT));
  const { code, err } = await train(at(PARENT), WHOLE);
  if (code !== 0) throw new Error(`the run to fork fails: ${err}`);
  return {
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true }),
    async place(name) {
      await mkdir(at(name));
      return at(name);
    },
  };
}

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What was written to stderr. */
  err: string;
  /** The points of disk and run that were reached, in order (core/fault.ts), paths relative to the run folder. */
  points: string[];
}

export interface Blow {
  /** MULLIGAN_FAULT. */
  fault?: string;
  /** A signal from outside, so long after so many points were reached. */
  after?: { signal: "SIGKILL" | "SIGTERM"; points: number; delayMs: number };
}

let processes = 0;

/** Runs the command with these flags beside the folder's. */
async function train(place: string, flags: Flags, blow: Blow = {}): Promise<Ending> {
  const log = join(dirname(place), `points-${processes++}`); // not in it: its disk may be full
  const argv = argvFrom("train", { ...flags, "--output-dir": OUTPUT });
  const main = join(dirname(place), "dist", "cli", "main.js");
  const child = spawn(process.execPath, [main, ...argv], {
    cwd: place,
    env: {
      ...process.env,
      MULLIGAN_FAULT_LOG: log,
      ...(blow.fault !== undefined && { MULLIGAN_FAULT: blow.fault }),
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let err = "";
  child.stderr.on("data", (data) => (err += data));
  const ended = once(child, "close");
  if (blow.after) {
    const { signal, points, delayMs } = blow.after;
    while (child.exitCode === null && pointsIn(log).length < points) await sleep(2);
    await sleep(delayMs);
    child.kill(signal);
  }
  const [code, signal] = await ended;
  return { code, signal, err, points: pointsIn(log).map((point) => inRun(place, point)) };
}

/** A point with its path relative to the run folder. */
function inRun(place: string, point: string): string {
  const [operation, path] = splitPoint(point);
  return path === "" ? operation : `${operation} ${relative(join(place, OUTPUT), path) || "."}`;
}

/** The fault at the count-th time that a run reaches a point. */
export function faultAt(place: string, point: string, count: number, what: string): Blow {
  const [operation, path] = splitPoint(point);
  return { fault: `${operation}:${path === "" ? "" : join(place, OUTPUT, path)}:${count}:${what}` };
}

/** Its operation and its path. */
export function splitPoint(point: string): [string, string] {
  const [operation, ...path] = point.split(" ");
  return [operation!, path.join(" ")];
}

/** Begins a run. */
export function begin(place: string, run: RunName, blow: Blow = {}): Promise<Ending> {
  return train(place, RUNS[run], blow);
}

/** Does what a user does after a kill: the short command that a stopped run prints, or the first one with --resume or --clean. */
export async function goOn(place: string, run: RunName, blow: Blow = {}): Promise<Ending> {
  const isBegun = existsSync(join(place, OUTPUT, "config.json"));
  // a fork is no run until it is whole: it is asked for again, not resumed
  if (!isBegun && run === "fork") return train(place, { ...RUNS.fork, "--clean": true }, blow);
  const ending = await train(place, { ...(!isBegun && RUNS[run]), "--resume": true }, blow);
  return ending.err.includes("or leave --resume out to start one") ? begin(place, run, blow) : ending;
}

function pointsIn(log: string): string[] {
  return existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : [];
}

/** A run folder's files by name. */
export type Contents = ReadonlyMap<string, string>;

/** Says when and where, which is never the same. */
const INCOMPARABLE = ["timings.jsonl", "environment.json", "run.lock", "report.html"];

/** Everything under final names that must be the same. */
export async function contentsOf(place: string): Promise<Contents> {
  const folder = join(place, OUTPUT);
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const contents = new Map<string, string>();
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path);
    if (!entry.isFile() || INCOMPARABLE.includes(name) || /\.\d+\.tmp/.test(name)) continue;
    contents.set(name, await readFile(path, "latin1"));
  }
  return contents;
}

/** The files in which a finished run differs from another, and names of what it has left over. */
export async function differences(place: string, reference: Contents): Promise<string[]> {
  const contents = await contentsOf(place);
  const names = [...new Set([...contents.keys(), ...reference.keys()])];
  const leftovers = (await readdir(join(place, OUTPUT))).filter((name) => /\.tmp$|^\.mulligan/.test(name));
  return [...names.filter((name) => contents.get(name) !== reference.get(name)), ...leftovers];
}

/** Grow by lines, of which the last may be torn. */
const LOGS = /^(metrics|traces|evaluations|warnings)\.jsonl$/;
/** Say how far validation has come. */
const STATE = /^checkpoint-\d+\/(trainer_state|digests)\.json$/;
/** Are there for a time, or change. */
const PASSING = ["collecting.jsonl", "latest", "best"];

/**
 * What is half there in the folder of a run that was killed: a file under its final name is the reference's to the byte, a
 * log is its beginning, and a folder of files has all of them or none. A checkpoint that owes a validation says so.
 */
export async function halves(
  place: string,
  reference: Contents,
  mayOweValidation = false,
): Promise<string[]> {
  const contents = await contentsOf(place);
  if (contents.has(".mulligan-unfinished")) return []; // no run yet, and says so
  const found: string[] = [];
  for (const [name, text] of contents) {
    const whole = reference.get(name) ?? "";
    if (PASSING.includes(name) || (mayOweValidation && STATE.test(name))) continue;
    if (LOGS.test(name) ? !whole.startsWith(linesOf(text)) : text !== whole) found.push(name);
  }
  const folders = new Set(
    [...contents.keys()].map(dirname).filter((name) => /^(checkpoint-\d+|model)$/.test(name)),
  );
  for (const name of reference.keys()) {
    if (folders.has(dirname(name)) && !contents.has(name)) found.push(`${name} (missing)`);
  }
  return found;
}

const linesOf = (text: string) => text.slice(0, text.lastIndexOf("\n") + 1);
