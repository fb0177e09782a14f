/**
 * What is in a model's folder as three hashes, so that a file made by one model is not taken for another's. Knows the
 * files' names, not what is in them.
 */
import { createHash } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { MulliganError, messageOf } from "../core/errors.ts";
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, holdsWeights, TEXT_FILES } from "../core/model-folder.ts";

/** SHA-256 of the weight files, of config.json, and of the files that turn text into tokens. */
export interface Fingerprint {
  weights: string;
  config: string;
  tokenizer: string;
}

/** Bytes read at once. */
const BLOCK = 4 * 2 ** 20;

/** Reads every byte of the model, by stream. Throws `MulliganError("checkpoint")` when a file cannot be read. */
export async function fingerprintModel(folder: string): Promise<Fingerprint> {
  const names = await namesIn(folder);
  const hash = (isOne: (name: string) => boolean) => hashFiles(folder, names.filter(isOne).sort());
  return {
    weights: await hash(holdsWeights),
    config: await hash((name) => name === "config.json"),
    tokenizer: await hash((name) => TEXT_FILES.includes(name)),
  };
}

/** SHA-256 of a PEFT adapter's two files. Throws as fingerprintModel does. */
export async function fingerprintAdapter(folder: string): Promise<string> {
  const names = await namesIn(folder);
  return hashFiles(folder, names.filter((name) => [ADAPTER_CONFIG, ADAPTER_WEIGHTS].includes(name)).sort());
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((cause: unknown) => {
    throw unreadable(folder, cause);
  });
}

/** Name, size and content of each file: moving bytes from one file to the next changes the hash. */
async function hashFiles(folder: string, names: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  const block = Buffer.allocUnsafe(BLOCK);
  for (const name of names) {
    const path = join(folder, name);
    try {
      const file = await open(path);
      try {
        hash.update(`${name}\n${(await file.stat()).size}\n`);
        for (;;) {
          const { bytesRead } = await file.read(block, 0, BLOCK);
          if (bytesRead === 0) break;
          hash.update(block.subarray(0, bytesRead));
        }
      } finally {
        await file.close();
      }
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }
  return hash.digest("hex");
}

function unreadable(path: string, cause: unknown): MulliganError {
  return new MulliganError("checkpoint", `${path}: cannot be read: ${messageOf(cause)}`, { cause });
}
