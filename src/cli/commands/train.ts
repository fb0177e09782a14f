/** `mulligan train`: stage 2 of the method, with collecting and evaluation around it. Parses, calls, prints. */
import type { Command } from "commander";
import { MulliganError } from "../../core/errors.ts";
import { type CliContext, configFromOptions, type Options } from "../context.ts";
import { experiment } from "../experiment.ts";
import { tellFinished } from "../finished.ts";
import { addConfigFlags, GROUPS, type GroupName } from "../flags.ts";
import { dryRun } from "../view/plan-view.ts";

const HELP = `
Settings come from, later over earlier: defaults, --preset, the configuration file, flags.
Who names neither a model nor a task gets the preset mini: the shipped model on Countdown.
TRL's spelling works too: --num_generations is --num-generations.

Examples:
  $ mulligan train --preset mini --output-dir runs/first
  $ mulligan train --config mulligan.config.ts --num-generations 12 --eval.test-problems 500
  $ mulligan train --task gsm8k --task-options '{"source": "hf:openai/gsm8k:main/train"}' --model org/name
  $ mulligan train --preset mini --dry-run                settings and plan of a run that is not made
  $ mulligan train --output-dir runs/first --resume       continue after Ctrl-C
  $ mulligan train --fork runs/first/checkpoint-40 --learning-rate 5e-5 --output-dir runs/second

A fork takes the checkpoint's weights and optimiser state, the run's failures and its settings, which flags change. Steps count
on: from checkpoint-40 with --max-steps 60 it trains 20 more. The run that it starts from stays as it is.
`;

interface TrainOptions extends Options {
  failures?: string;
  allowMismatch?: boolean;
  resume?: boolean;
  from?: string;
  fork?: string;
  clean?: boolean;
  dryRun?: boolean;
}

function requireOneStart({ resume = false, from, fork, config, outputDir }: TrainOptions): void {
  if (from !== undefined && !resume) {
    throw new MulliganError("config", `from: goes with --resume, got "${from}" without it`, {
      hint: "add --resume, or start another run from a checkpoint with --fork",
    });
  }
  if (fork === undefined) return;
  if (resume) {
    throw new MulliganError("config", "resume, fork: must not be given together", {
      hint: "--resume continues the run in --output-dir, --fork starts another one from it",
    });
  }
  if (outputDir !== undefined || config !== undefined) return;
  throw new MulliganError("config", "fork: must go into a folder of its own, got none", {
    hint: "name a new one with --output-dir",
  });
}

export function registerTrain(program: Command, context: CliContext): void {
  const command = program
    .command("train")
    .summary("reward reflections whose retry was right")
    .description(
      "Let the model reflect on its failures and try again; reward the reflections whose retry was right (stage 2).",
    );
  addConfigFlags(command, Object.keys(GROUPS) as GroupName[], Object.keys(context.presets))
    .optionsGroup("Run folder:")
    .option("--failures <file>", "failures.jsonl of `mulligan collect` (default: collect first)")
    .option("--allow-mismatch", "use --failures that another model, tokenizer or task made, too")
    .option("--resume", "continue the run in --output-dir from its newest checkpoint")
    .option("--from <checkpoint>", "with --resume: an older checkpoint to go on from, such as checkpoint-40")
    .option("--fork <run>", "start another run from a run's newest checkpoint, run/best or run/checkpoint-N")
    .option("--clean", "remove the run that is in --output-dir first")
    .option("--dry-run", "print the resolved settings and the plan of the run, and stop")
    .addHelpText("after", HELP)
    .action(async (options: TrainOptions) => {
      requireOneStart(options);
      const config = await configFromOptions(options, context);
      const { failures, from, fork, allowMismatch = false, resume = false, clean = false } = options;
      if (options.dryRun)
        return dryRun(config, failures === undefined ? "run" : "train", { resume, clean }, context);
      const isOnlyResumed = resume && !clean && failures === undefined && from === undefined;
      if (isOnlyResumed && (await tellFinished(config, context))) return;
      const command = {
        ...{ resume, clean, allowMismatch },
        ...(failures !== undefined && { failures }),
        ...(from !== undefined && { from }),
        ...(fork !== undefined && { fork }),
      };
      await experiment(config, command, context);
    });
}
