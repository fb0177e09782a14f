#!/usr/bin/env node
/** The `mulligan` executable: connects the program to this process, and nothing else. */
import { letHeapsGrow } from "../core/heap-growth.ts";
import { presetConfig, presets } from "../train/presets.ts";
import type { PartialConfig } from "./config.ts";
import { INTERRUPTED, unitOf, watchInterrupts } from "./interrupt.ts";
import { runCli } from "./program.ts";

letHeapsGrow();

const presetNames = Object.keys(presets) as (keyof typeof presets)[];

// `mulligan train --help | head` closes the pipe early
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  if (error.code !== "EIO") throw error; // the terminal is gone
});
// nobody reads it any more: no reason to lose what a run is about to save
process.stderr.on("error", () => {});

// ends as an exit, so that what ends with this process does: the verifier's processes
const argv = process.argv.slice(2);
const interrupt = watchInterrupts(process, process.stderr, (code) => process.exit(code), unitOf(argv[0]));
const code = await runCli(argv, {
  presets: Object.fromEntries(presetNames.map((name) => [name, presetConfig(name) as PartialConfig])),
  signal: interrupt.signal,
  stdout: process.stdout,
  stderr: process.stderr,
  folder: process.cwd(),
});
process.exitCode = code === INTERRUPTED ? interrupt.exitCode() : code;
interrupt.dispose();
