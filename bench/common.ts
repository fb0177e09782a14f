/** What benchmarks share: their command line, how they show a profile, and heaps that grow as the command's do. */
import { renderProfile } from "../src/cli/view/profile-view.ts";
import { letHeapsGrow } from "../src/core/heap-growth.ts";
import type { Engine } from "../src/engine/index.ts";

letHeapsGrow();

/** `--name value` of the command line. */
export function argument(name: string, fallback: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
}

/** The most memory this process ever held. */
export const peakMebibytes = () => Math.round(process.resourceUsage().maxRSS / 1024);

/** Closes an engine; where it measured, shows on stderr where its time went. */
export async function closeEngine(engine: Engine): Promise<void> {
  const profile = await engine.profile?.();
  if (profile) console.error(renderProfile(profile));
  await engine.close();
}
