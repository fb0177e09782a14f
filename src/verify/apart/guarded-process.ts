/**
 * A child process that cannot outstay its welcome: memory bounded by the kernel, output counted, and whatever it started
 * killed with it. Guards against accidents (loops, forks, leaks), not against malice. Must not know what it computes.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { endStragglers } from "./stragglers.ts";

export interface GuardedOptions {
  memoryMb: number;
  maxOutputBytes: number;
  /** Handed down in the environment, by which everything that it started is found. Ends in a full stop. */
  mark: string;
  /** Also give it a channel for messages. */
  ipc?: boolean;
  cwd?: string;
}

export interface GuardedProcess {
  child: ChildProcess;
  /** What it wrote since the start, or since `forget`. */
  written(): { stdout: string; stderr: string };
  forget(): void;
  /** Ends it and everything that it started. `reason` continues the sentence "the verifier …". */
  kill(reason: string): void;
  /** When it has ended, by itself or not, and its output is complete. */
  ended: Promise<Ending>;
}

export interface Ending {
  /** Undefined when it was killed. */
  code: number | undefined;
  /** As a sentence: "the verifier" and then this. */
  reason: string;
}

export const MARK = "MULLIGAN_VERIFIER";

/** How long output may keep coming after a process has ended: only of something that it left behind. */
const drainMs = 200;

const isPosix = process.platform !== "win32";
const living = new Set<() => void>();
let isWatchingExit = false;

/** Starts a command; one that does not exist ends at once, with its reason. Never throws. */
export function startGuarded(command: readonly string[], options: GuardedOptions): GuardedProcess {
  const [file, ...argv] = limited(command, options);
  const child = spawn(file!, argv, spawnOptions(options));
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[], bytes: 0 };
  let killedBecause: string | undefined;

  const killGroup = () => {
    if (child.pid === undefined) return;
    try {
      if (isPosix) process.kill(-child.pid, "SIGKILL");
      else child.kill("SIGKILL");
    } catch {} // it is gone already
  };
  const closeOutput = () => {
    for (const stream of [child.stdout, child.stderr, lifeline]) stream?.destroy();
  };
  const kill = (reason: string) => {
    killedBecause ??= reason;
    child.ref(); // whoever waits for its end must not end before
    killGroup();
    endStragglers(MARK, options.mark);
    closeOutput();
  };
  const collect = (name: "stdout" | "stderr") => (chunk: Buffer) => {
    output.bytes += chunk.length;
    if (output.bytes > options.maxOutputBytes) kill(`wrote more than ${options.maxOutputBytes} bytes`);
    else output[name].push(chunk);
  };
  child.stdout?.on("data", collect("stdout"));
  child.stderr?.on("data", collect("stderr"));
  const lifeline = child.stdio?.[4] as (Duplex & { unref?(): void }) | undefined; // none without free files
  lifeline?.on("error", () => {});
  lifeline?.unref?.();
  const written = () => ({
    stdout: Buffer.concat(output.stdout).toString("utf8"),
    stderr: Buffer.concat(output.stderr).toString("utf8"),
  });

  const ended = new Promise<Ending>((resolve) => {
    const finish = (code: number | null, signal: string | null, failure?: Error) => {
      living.delete(killGroup);
      const how = failure
        ? `could not be started: ${failure.message}`
        : `ended its process (${signal ?? `exit code ${code}`})${complaint(written().stderr)}`;
      const isKilled = killedBecause !== undefined || failure !== undefined;
      resolve({ code: isKilled ? undefined : (code ?? undefined), reason: killedBecause ?? how });
    };
    child.on("error", (error) => {
      if (child.pid === undefined) finish(null, null, error);
    });
    child.on("exit", () => {
      killGroup(); // what it left behind
      lifeline?.destroy();
      setTimeout(closeOutput, drainMs).unref();
    });
    child.on("close", finish);
  });

  watchExit();
  living.add(killGroup);
  return {
    child,
    written,
    forget: () => Object.assign(output, { stdout: [], stderr: [], bytes: 0 }),
    kill,
    ended,
  };
}

function spawnOptions({ ipc, cwd, mark }: GuardedOptions): SpawnOptions {
  return {
    // the last one is never written to: its end is this process's end
    stdio: [ipc ? "ignore" : "pipe", "pipe", "pipe", ipc ? "ipc" : "ignore", "pipe"],
    detached: isPosix, // a group of its own: killed as one, and out of Ctrl-C's reach
    windowsHide: true,
    serialization: "advanced",
    env: { ...process.env, [MARK]: mark },
    ...(cwd !== undefined && { cwd }),
  };
}

/**
 * The command under the shell's limits: no core files, so much writable memory a process (Linux from 4.7 keeps to it). Beside
 * it a shell waits for the end of this process, which not even a kill can hide, and then ends the group.
 */
function limited(command: readonly string[], { memoryMb }: GuardedOptions): readonly string[] {
  if (!isPosix) return command;
  const limits = [`-d ${memoryMb * 1024}`, "-c 0"].map((limit) => `ulimit ${limit} 2>/dev/null`);
  const watch = "{ read end <&4; kill -9 0; } >/dev/null 2>&1 3<&- &";
  const script = `${limits.join("; ")}; ${watch} exec 4<&-; exec "$@"`;
  return ["/bin/sh", "-c", script, "sh", ...command];
}

/** However this process ends, short of being killed, its children end with it. */
function watchExit(): void {
  if (isWatchingExit) return;
  isWatchingExit = true;
  process.on("exit", () => {
    for (const killGroup of living) killGroup();
    endStragglers(MARK, `${process.pid}.`);
  });
}

/** Of what a process said before it ended, the line that tells most. */
function complaint(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim());
  const line = lines.find((line) => /^FATAL ERROR/.test(line)) ?? lines.findLast((line) => line !== "");
  return line === undefined ? "" : `: ${line.slice(0, 300)}`;
}
