/** `mulligan doctor`: would a run work here, and what to fix. Parses, calls, prints. */
import type { Command } from "commander";
import { MulliganError } from "../../core/errors.ts";
import { printableJson } from "../../core/printable.ts";
import type { Check } from "../../train/doctor/check.ts";
import { diagnose } from "../../train/doctor/diagnose.ts";
import { type CliContext, configFromOptions, type Options } from "../context.ts";
import { addConfigFlags, GROUPS, type GroupName } from "../flags.ts";
import { createDoctorView, renderVerdict } from "../view/doctor-view.ts";
import { downloadOptions } from "../view/download-view.ts";

const HELP = `
Give it the flags or the configuration file of the run that you mean to start. It samples a few tokens and makes one small
training step in memory; nothing of it is kept. The exit code is 1 when something failed.

Examples:
  $ mulligan doctor                          the shipped model on Countdown
  $ mulligan doctor --task task.ts --model Qwen/Qwen2.5-0.5B-Instruct --lora-r 16
  $ mulligan doctor --config mulligan.config.ts --json
`;

export function registerDoctor(program: Command, context: CliContext): void {
  const command = program
    .command("doctor")
    .summary("would a run work here? what is missing, and what to do")
    .description(
      "Check Node, the runtime, the machine, the task, the model and a training step: a minute for a small model, some for 0.5 B parameters.",
    );
  addConfigFlags(command, Object.keys(GROUPS) as GroupName[], Object.keys(context.presets))
    .optionsGroup("Output:")
    .option("--json", "print the checks as JSON")
    .addHelpText("after", HELP)
    .action(async ({ json = false, ...options }: Options & { json?: boolean }) => {
      const config = await configFromOptions(options, context);
      const checks = await examine(config, context, json);
      const wrong = checks.filter(({ status }) => status === "failed").map(({ name }) => name);
      const report = { ok: wrong.length === 0, checks };
      if (json) context.stdout.write(`${printableJson(report, 2)}\n`);
      if (wrong.length > 0) throw unfit(wrong);
      if (!json) context.stdout.write(`\n${renderVerdict(checks)}\n`);
    });
}

async function examine(
  config: Parameters<typeof diagnose>[0],
  context: CliContext,
  isSilent: boolean,
): Promise<Check[]> {
  const view = createDoctorView(context.stdout, context.stderr);
  const checks: Check[] = [];
  for await (const event of diagnose(config, downloadOptions(context))) {
    if (event.type === "checked") checks.push(event.check);
    if (isSilent) continue;
    if (event.type === "checking") view.checking(event.name);
    else view.checked(event.check);
  }
  return checks;
}

function unfit(wrong: readonly string[]): MulliganError {
  return new MulliganError("config", `a run would not work here: ${wrong.join(", ")} failed`, {
    hint: "do what is said above, the first of it first, and ask again",
  });
}
