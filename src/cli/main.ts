#!/usr/bin/env node
/** The `mulligan` executable: connects the program to this process, and nothing else. */
import { presetConfig, presets } from "../train/presets.ts";
import type { PartialConfig } from "./config.ts";
import { watchInterrupts } from "./interrupt.ts";
import { runCli } from "./program.ts";

/** By convention of shells: 128 + the number of SIGTERM. */
const TERMINATED = 143;

const presetNames = Object.keys(presets) as (keyof typeof presets)[];

// `mulligan train --help | head` closes the pipe early
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

// as an exit, so that what ends with this process does: the verifier's processes
process.on("SIGTERM", () => process.exit(TERMINATED));

const interrupt = watchInterrupts(process, process.stderr, (code) => process.exit(code));
process.exitCode = await runCli(process.argv.slice(2), {
  presets: Object.fromEntries(presetNames.map((name) => [name, presetConfig(name) as PartialConfig])),
  signal: interrupt.signal,
  stdout: process.stdout,
  stderr: process.stderr,
  folder: process.cwd(),
});
interrupt.dispose();
