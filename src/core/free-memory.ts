/** How much memory a process may still take. */
import { totalmem } from "node:os";

/** macOS counts what it could free at once as used. Arbitrary. */
const SHARE_ON_MACOS = 0.75;

/** Bytes that are free or can be freed (Linux: MemAvailable), within the process's own limit (cgroup) where it has one. */
export function freeMemory(): number {
  return process.platform === "darwin" ? SHARE_ON_MACOS * totalmem() : process.availableMemory();
}
