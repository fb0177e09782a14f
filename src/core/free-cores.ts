/** How many cores a process may use, and how busy they are. */
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { posix } from "node:path";

export interface Cores {
  /** That the system may run the process on: affinity and cpusets are heeded. */
  usable: number;
  /** As many as the container's quota of time comes to (cgroup); absent = no quota. */
  quota?: number;
  /** Processes that ran or waited for a core, over the last minute. 0 where the system does not count them. */
  load: number;
}

export function freeCores(): Cores {
  const quota = cpuQuota();
  return { usable: availableParallelism(), ...(quota !== undefined && { quota }), load: loadavg()[0]! };
}

/** The smallest quota among a process's control groups and their parents, in cores; undefined = none, or no Linux. */
export function cpuQuota({
  groups = "/proc/self/cgroup",
  mount = "/sys/fs/cgroup",
} = {}): number | undefined {
  // a line is hierarchy:controllers:path; version 2 has no controllers
  const lines = read(groups).split("\n");
  const quotas = lines.flatMap((line) => {
    const [, controllers = "", path = "/"] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === "")
      return line === "" ? [] : upwards(path).map((at) => quotaOf(read(`${mount}${at}/cpu.max`)));
    if (!controllers.split(",").includes("cpu")) return [];
    return [controllers, "cpu"].flatMap((folder) =>
      upwards(path).map((at) => {
        const value = (name: string) => read(`${mount}/${folder}${at}/cpu.cfs_${name}_us`).trim();
        return quotaOf(`${value("quota")} ${value("period")}`);
      }),
    );
  });
  const set = quotas.filter((quota) => quota !== undefined);
  return set.length > 0 ? Math.min(...set) : undefined;
}

/** "/a/b", "/a", "": inside a container the path may be one that only the host can see. */
function upwards(path: string): string[] {
  const parents: string[] = [];
  for (let at = path; at !== "/"; at = posix.dirname(at)) parents.push(at);
  return [...parents, ""];
}

/** "200000 100000" is two cores; "max 100000" and "-1 100000" are no quota. */
function quotaOf(text: string): number | undefined {
  const [quota, period] = text.trim().split(/\s+/).map(Number);
  return quota! > 0 && period! > 0 ? quota! / period! : undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
