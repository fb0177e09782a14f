/** `mulligan bench`: how fast the engine is on this machine. Parses, calls, prints. */
import { type Command, Option } from "commander";
import { type BenchReport, benchEngine } from "../engine/index.ts";
import type { CliContext } from "./context.ts";
import { positiveInteger } from "./context.ts";

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
    .addHelpText("after", HELP)
    .action(async (options: { threads?: number }) => {
      context.stdout.write(`${renderBench(await benchEngine(options))}\n`);
    });
}

function renderBench(report: BenchReport): string {
  const { stepGflops, matmulGflops, stepSeconds, tokens, parameters, threads } = report;
  return [
    `threads                     ${threads}`,
    `training step               ${(1000 * stepSeconds).toFixed(0)} ms for ${tokens} tokens, ${(parameters / 1e6).toFixed(2)} M parameters`,
    `                            ${(tokens / stepSeconds).toFixed(0)} tokens/s, ${stepGflops.toFixed(1)} GFLOP/s (6·N·tokens + attention)`,
    `matrix product 1024³        ${matmulGflops.toFixed(1)} GFLOP/s`,
    `step by matrix product      ${((100 * stepGflops) / matmulGflops).toFixed(1)} %`,
    `sampling, 64 rows           ${report.sampledTokensPerSecond.toFixed(0)} tokens/s`,
    `resident memory             ${report.residentMegabytes.toFixed(0)} MB`,
  ].join("\n");
}
