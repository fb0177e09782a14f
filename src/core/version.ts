/** Versions of what computes: a run writes them down. Reads package files only. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** The version of Mulligan itself. */
export function mulliganVersion(): string {
  // src/core and dist/core lie equally deep
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}

/** The version of an installed package, or undefined where there is none. */
export function packageVersion(name: string): string | undefined {
  try {
    return createRequire(import.meta.url)(`${name}/package.json`).version;
  } catch {
    return undefined;
  }
}
