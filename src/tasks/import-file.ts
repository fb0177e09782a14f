/**
 * Imports a TypeScript or JavaScript file of the user's. Where the package is not installed for it (run by npx, or from
 * elsewhere), what it imports from "mulligan" is given by this program itself.
 */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { createJiti } from "jiti";

/** Modules by name, for a file that could not import them. */
export type StandIns = Readonly<Record<string, Record<string, unknown>>>;

/** Its default export, undefined when it has none. Throws what the file throws; nothing is cached, on disk or in memory. */
export async function importDefault(file: string, standIns: StandIns): Promise<unknown> {
  const jiti = createJiti(pathToFileURL(file).href, {
    virtualModules: isInstalledFor(file) ? {} : { ...standIns },
    nativeModules: ["mulligan"],
    interopDefault: false, // else a module without a default export is its own
    fsCache: false,
    moduleCache: false,
  });
  return (await jiti.import<Record<string, unknown>>(file)).default;
}

/** Run from sources, what is found would be this package's own build, and that may be older. */
function isInstalledFor(file: string): boolean {
  if (import.meta.url.endsWith(".ts")) return false;
  try {
    createRequire(file).resolve("mulligan");
    return true;
  } catch {
    return false;
  }
}
