/** `mulligan bench`: how fast the engine is on this machine. Parses, calls, prints. */
import { type Command, Option } from "commander";
import { DEVICES } from "../../core/device.ts";
import { type BenchOptions, type BenchReport, benchEngine } from "../../engine/index.ts";
import type { CliContext } from "../context.ts";
import { positiveInteger } from "../context.ts";
import { renderProfile } from "../view/profile-view.ts";

const HELP = `
Compares a training step of a 5 M-parameter model with the rate of a plain 1024 × 1024 × 1024 matrix product
of the same runtime in the same run: the ratio is what the engine can be judged by.

Examples:
  $ mulligan bench
  $ mulligan bench --threads 1
`;

export function registerBench(program: Command, context: CliContext): void {
  program
    .command("bench")
    .summary("measure the engine on this machine")
    .description("Measure sampling and training speed on this machine.")
    .addOption(
      new Option("--threads <int>", "compute threads (default: one per core)").argParser(
        positiveInteger("threads"),
      ),
    )
    .addOption(new Option("--device <name>", "what graphs run on").choices(DEVICES).default("cpu"))
    .addHelpText("after", HELP)
    .action(async (options: BenchOptions) => {
      context.stdout.write(`${renderBench(await benchEngine({ ...options, signal: context.signal }))}\n`);
    });
}

function renderBench(report: BenchReport): string {
  const { stepGflops, matmulGflops, stepSeconds, firstStepSeconds, optimizerSeconds, tokens } = report;
  const ms = (seconds: number) => `${(1000 * seconds).toFixed(0)} ms`;
  return [
    `threads                     ${report.threads}`,
    `training step               ${ms(stepSeconds)} for ${tokens} tokens, ${(report.parameters / 1e6).toFixed(2)} M parameters`,
    `                            ${(tokens / stepSeconds).toFixed(0)} tokens/s, ${stepGflops.toFixed(1)} GFLOP/s (6·N·tokens + attention)`,
    `matrix product 1024³        ${matmulGflops.toFixed(1)} GFLOP/s`,
    `step by matrix product      ${((100 * stepGflops) / matmulGflops).toFixed(1)} %`,
    `optimiser                   ${ms(optimizerSeconds)}, ${((100 * optimizerSeconds) / stepSeconds).toFixed(1)} % of a step`,
    `first step, with compiling  ${ms(firstStepSeconds)}, ${(firstStepSeconds / stepSeconds).toFixed(1)} times a warm one`,
    `sampling, 64 rows           ${report.sampledTokensPerSecond.toFixed(0)} tokens/s`,
    `peak memory                 ${report.peakMebibytes.toFixed(0)} MiB`,
    "",
    renderProfile(report.profile),
  ].join("\n");
}
