/** What a run needs of the machine: Node, the runtime's native library, cores. Knows neither model nor task. */
import { readFileSync } from "node:fs";
import { count } from "../../core/count.ts";
import { messageOf } from "../../core/errors.ts";
import type { Cores } from "../../core/free-cores.ts";
import { type RuntimeTrial, tryRuntime } from "../../engine/index.ts";
import { type Finding, failed, type Opened, ok, warning } from "./check.ts";

/** By package.json: ">=20.19". */
export function requiredNode(): string {
  // src/train/doctor and dist/train/doctor lie equally deep
  return JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")).engines.node;
}

/** `version` as in process.versions.node; `required` is ">=major.minor". */
export function checkNode(version: string, required: string): Finding {
  const [major, minor] = numbersIn(version);
  const [leastMajor, leastMinor] = numbersIn(required);
  const found = `${version}, at least ${required.replace(/^>=/, "")} is needed`;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return ok(found);
  return failed(found, `install Node ${leastMajor}.${leastMinor} or later: https://nodejs.org`);
}

function numbersIn(version: string): [major: number, minor: number] {
  const [major = 0, minor = 0] = version.replace(/^\D+/, "").split(".").map(Number);
  return [major, minor];
}

/** What the runtime's library depends on. */
export interface Platform {
  platform: string;
  arch: string;
  /** Of glibc; absent on Linux: another C library, such as musl. */
  glibc?: string;
}

export function thisPlatform(): Platform {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  const glibc = report?.header?.glibcVersionRuntime;
  return { platform: process.platform, arch: process.arch, ...(glibc !== undefined && { glibc }) };
}

/** Loads the runtime and lets it multiply. */
export async function checkRuntime(
  platform: Platform,
  attempt: () => Promise<RuntimeTrial> = tryRuntime,
): Promise<Finding> {
  try {
    const { version, wrong, elements } = await attempt();
    if (wrong === 0) return ok(`onnxruntime-node ${version} loads, and a product is right to the last digit`);
    return failed(
      `onnxruntime-node ${version} computed ${wrong} of ${elements} numbers of a product wrongly`,
      "install it again (npm ci); if that changes nothing, the processor or its emulation is at fault",
    );
  } catch (error) {
    const message = messageOf(error);
    return failed(
      `onnxruntime-node cannot be loaded: ${message.trim().split("\n")[0]}`,
      runtimeAdvice(message, platform),
    );
  }
}

function runtimeAdvice(message: string, { platform, arch, glibc }: Platform): string {
  if (platform === "linux" && glibc === undefined) {
    return "its library needs glibc, and this system has another C library (musl?): use a Debian or Ubuntu image instead of Alpine";
  }
  if (/GLIBC(XX)?_[\d.]+' not found/.test(message)) {
    return `its library needs a newer system than this one with glibc ${glibc}: for instance Debian 12 or Ubuntu 22.04`;
  }
  if (/Cannot find module.*\.node|onnxruntime_binding/.test(message)) {
    return `it brings no library for ${platform} on ${arch}, or was installed without: npm ci, and see onnxruntime-node's page for what it supports`;
  }
  if (/Cannot find (module|package)/.test(message)) return "install the packages: npm ci";
  return "install it again: npm ci";
}

/** More of its cores are in other hands than this: worth saying. Arbitrary. */
const BUSY = 0.5;

/**
 * `threads` as configured: 0 = one per usable core. The value is with how many an engine may be tried: each takes a replica of
 * the model, so that far too many would keep the doctor busy for minutes, with what is said already.
 */
export function checkThreads(threads: number, { usable, quota, load }: Cores): Opened<number> {
  const limit = quota === undefined ? usable : Math.max(1, Math.min(usable, Math.floor(quota)));
  const used = threads || usable;
  const cores = `${count(usable, "core")}${limit < usable ? `, of which a quota leaves ${limit}` : ""}`;
  const found = `${count(used, "thread")} on ${cores}`;
  if (used > limit) {
    const advice = `threads that share a core wait for each other: --threads ${limit}`;
    return { ...warning(`${found}; what follows is tried with ${limit}`, advice), value: limit };
  }
  if (load >= BUSY * usable) {
    const busy = `${found}; over the last minute ${load.toFixed(1)} processes wanted one`;
    const advice = "a run will take longer than it could: wait, or give it fewer threads";
    return { ...warning(busy, advice), value: used };
  }
  return { ...ok(found), value: used };
}
