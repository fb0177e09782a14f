/** `mulligan init`: a commented starter for a task of one's own. Copies, prints; replaces nothing. */
import { constants, existsSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { unwritable } from "../../core/atomic-file.ts";
import { makeFolder, remove } from "../../core/disk.ts";
import { MulliganError } from "../../core/errors.ts";
import { shellWord } from "../../core/shell.ts";
import type { CliContext } from "../context.ts";

const HELP = `
Examples:
  $ mulligan init                the current folder
  $ mulligan init my-task
`;

/** Beside dist/ and src/ in the package. */
const STARTER = fileURLToPath(new URL("../../../starter", import.meta.url));
const FILES = ["task.ts", "rows.jsonl", "mulligan.config.ts"];

export function registerInit(program: Command, context: CliContext): void {
  program
    .command("init")
    .summary("begin a task of one's own: a commented starter")
    .description(`Write a starter for a task of one's own: ${FILES.join(", ")}.`)
    .argument("[folder]", "where to write it, made if need be", ".")
    .addHelpText("after", HELP)
    .action(async (folder: string) => {
      await copyStarter(resolve(context.folder, folder), context.signal);
      for (const name of FILES) context.stdout.write(`${join(folder, name)}\n`);
      const there = folder === "." ? "" : `cd ${shellWord(folder)} && `;
      context.stdout.write(`\nNext: ${there}npx mulligan check-task task.ts && npx mulligan train\n`);
    });
}

/** All or nothing. Throws `MulliganError("io")` when one of the files is there already, and the signal's reason. */
async function copyStarter(target: string, signal: AbortSignal): Promise<void> {
  const present = FILES.map((name) => join(target, name)).find(existsSync);
  if (present !== undefined) {
    throw new MulliganError("io", `${present}: must not exist yet: init replaces no file`, {
      hint: "name another folder: mulligan init my-task",
    });
  }
  const made = await makeFolder(target);
  const written: string[] = [];
  try {
    for (const name of FILES) {
      signal.throwIfAborted();
      await copyFile(join(STARTER, name), join(target, name), constants.COPYFILE_EXCL);
      written.push(join(target, name));
    }
  } catch (cause) {
    for (const path of written) await remove(path);
    if (made !== undefined) await remove(made);
    signal.throwIfAborted();
    throw unwritable(target, cause);
  }
}
