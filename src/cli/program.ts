/**
 * The command-line program: commands, help, and how errors are told. Every mistake of the user's ends as
 * `error:` and `hint:` with exit code 1; anything else is a bug and shows its stack, with exit code 70.
 */
import { styleText } from "node:util";
import { Command, CommanderError } from "commander";
import { isStop, MulliganError, nearestName } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import { mulliganVersion } from "../core/version.ts";
import { registerBench } from "./commands/bench.ts";
import { registerCheckTask } from "./commands/check-task.ts";
import { registerCollect } from "./commands/collect.ts";
import { registerDemo } from "./commands/demo.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerEval } from "./commands/eval.ts";
import { registerExport } from "./commands/export.ts";
import { registerInit } from "./commands/init.ts";
import { registerInspect } from "./commands/inspect.ts";
import { registerReport } from "./commands/report.ts";
import { registerSample } from "./commands/sample.ts";
import { registerSwap } from "./commands/swap.ts";
import { registerTrain } from "./commands/train.ts";
import { registerTransfer } from "./commands/transfer.ts";
import type { CliContext } from "./context.ts";
import { fields } from "./fields.ts";
import { flagFromPath, normalizeFlags } from "./flags.ts";
import { INTERRUPTED } from "./interrupt.ts";

/** As in sysexits.h: an error inside the software. */
const INTERNAL_ERROR = 70;

const EXAMPLES = `
Examples:
  $ mulligan demo                          everything once, in minutes, with the shipped model
  $ mulligan train --help                  every setting, with its default
  $ mulligan train --preset mini --seed 1 --output-dir runs/seed-1
  $ mulligan sample --checkpoint runs/seed-1
`;

export function createProgram(context: CliContext): Command {
  const program = new Command("mulligan")
    .description("Reflect, Retry, Reward: train small language models to use their second shot.")
    .version(mulliganVersion(), "-v, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", EXAMPLES)
    .showSuggestionAfterError(false)
    .configureHelp({ styleTitle: (title) => styleText("bold", title) })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      outputError: () => {}, // told by printError
      getOutHasColors: () => context.stdout.isTTY === true && !process.env.NO_COLOR,
      getErrHasColors: () => context.stderr.isTTY === true && !process.env.NO_COLOR,
    })
    .exitOverride();
  for (const register of [
    registerDemo,
    registerCollect,
    registerTrain,
    registerEval,
    registerSample,
    registerReport,
    registerInspect,
    registerExport,
    registerSwap,
    registerTransfer,
    registerInit,
    registerCheckTask,
    registerDoctor,
    registerBench,
  ]) {
    register(program, context);
  }
  return program;
}

/** Runs one command line (without node and script). Returns the exit code; never throws. */
export async function runCli(
  argv: readonly string[],
  context: CliContext,
  program = createProgram(context),
): Promise<number> {
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(normalizeFlags(argv), { from: "user" });
    return context.signal.aborted ? INTERRUPTED : 0;
  } catch (error) {
    if (isStop(error, context.signal)) return INTERRUPTED;
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // help and version
    return printError(error instanceof CommanderError ? usageError(error, program, argv) : error, context);
  }
}

function printError(error: unknown, { stderr }: CliContext): number {
  if (error instanceof MulliganError) {
    stderr.write(printable(`error: ${error.message}\n`));
    if (error.hint !== undefined) stderr.write(printable(`hint: ${error.hint}\n`));
    return 1;
  }
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  stderr.write(printable(`unexpected error: ${told}\n`));
  stderr.write("this is a bug in Mulligan, or in the task's code if the stack ends there\n");
  return INTERNAL_ERROR;
}

/** Commander's error as ours, with the nearest name where a name was wrong. */
function usageError(error: CommanderError, program: Command, argv: readonly string[]): MulliganError {
  const command = program.commands.find(
    (command) => command.name() === argv.find((arg) => !arg.startsWith("-")),
  );
  const help = `\`mulligan ${command ? `${command.name()} ` : ""}--help\` lists what there is`;
  const wrong = /'([^' =]+)/.exec(error.message)?.[1] ?? "";
  const named = (what: string, choices: readonly string[]) => {
    const near = nearestName(wrong, choices);
    return new MulliganError("config", `${wrong}: unknown ${what}`, {
      hint: near === undefined ? help : `did you mean ${near}?`,
      cause: error,
    });
  };
  if (error.code === "commander.unknownCommand") {
    return named(
      "command",
      program.commands.map((command) => command.name()),
    );
  }
  if (error.code === "commander.unknownOption") {
    const isSetting = fields.some(({ path }) => flagFromPath(path) === wrong);
    if (command && isSetting) {
      return new MulliganError("config", `${wrong}: mulligan ${command.name()} has no use for it`, {
        hint: help,
        cause: error,
      });
    }
    const options = (command ?? program).options.flatMap(({ long }) => long ?? []);
    return named("flag", options);
  }
  return new MulliganError("config", error.message.replace(/^error: /, ""), { hint: help, cause: error });
}
