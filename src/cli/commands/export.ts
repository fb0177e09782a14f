/** `mulligan export`: a model for other programs. Parses, calls, prints. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { EXPORT_DTYPES, EXPORT_FORMATS, type ExportOptions } from "../../engine/index.ts";
import { exportCheckpoint } from "../../train/export.ts";
import { type CliContext, checkpointFrom, configFromOptions, type Options } from "../context.ts";
import { addConfigFlags } from "../flags.ts";
import { downloadOptions } from "../view/download-view.ts";

const HELP = `
Examples:
  $ mulligan export --checkpoint runs/first --output first            a Hugging Face folder, an adapter merged in
  $ mulligan export --checkpoint runs/lora --format adapter --output adapter      for PEFT and vLLM
  $ mulligan export --checkpoint runs/first --format onnx --output web            for transformers.js and onnxruntime
  $ python llama.cpp/convert_hf_to_gguf.py first                      GGUF is made from the Hugging Face folder
`;

export function registerExport(program: Command, context: CliContext): void {
  const command = program
    .command("export")
    .summary("write a model or an adapter for other programs")
    .description(
      "Write a model, or what a run made of it, for transformers, PEFT, vLLM, llama.cpp or the browser.",
    );
  addConfigFlags(command, ["model"], Object.keys(context.presets))
    .optionsGroup("What to export:")
    .option(
      "--checkpoint <folder>",
      "a run folder (its newest checkpoint), one checkpoint, or run/best (default: --model itself)",
    )
    .addOption(
      new Option("--format <name>", "form of the weights").choices(EXPORT_FORMATS).default("safetensors"),
    )
    .addOption(new Option("--dtype <name>", "of safetensors").choices(EXPORT_DTYPES).default("float32"))
    .requiredOption("--output <folder>", "a new or empty folder")
    .addHelpText("after", HELP)
    .action(async ({ output, ...options }: Options & ExportOptions & { output: string }) => {
      const config = await configFromOptions(options, context);
      const folder = resolve(context.folder, output);
      await exportCheckpoint(config, folder, {
        format: options.format,
        dtype: options.dtype,
        ...(await checkpointFrom(options)),
        ...downloadOptions(context),
      });
      context.stdout.write(`${folder}\n`);
    });
}
