/**
 * The engine's compiled graphs: made on first use, kept while they hold. Knows when a graph's memory or the weights inside
 * it make it go, not what graphs compute.
 */
import { type EngineProfile, type GraphTime, longestFirst } from "../../core/profile.ts";
import { createSession, type Graph, type Session, type SessionOptions } from "../../graph/index.ts";

/**
 * Graphs of a larger model do not all keep the memory that a run has needed: kept by every graph, it came to several times
 * the weights. Those of sampling give it back after each run; of those of training, which need most, one is there at a time:
 * given back piece by piece their memory falls apart and is held all the same (docs/decisions/0015-memory-plan.md).
 */
export const LARGE_MODEL = 2 ** 24;

type Build = () => Graph;

export interface Graphs {
  /** Kept until the end. */
  kept(name: string, threads: number, build: Build): Promise<Session>;
  /** With the weights in it: kept until these change. */
  packed(name: string, threads: number, build: Build): Promise<Session>;
  /** For training: of a large model kept until another comes or the pass ends. */
  passing(name: string, threads: number, build: Build): Promise<Session>;
  /** The weights have changed. */
  dropPacked(): Promise<void>;
  /** The pass has ended. */
  dropPassing(): Promise<void>;
  /** Of the graphs that are there. */
  profile(): Promise<EngineProfile>;
  release(): Promise<void>;
}

type Sessions = Map<string, Promise<Session>>;

export function createGraphs({
  isLarge,
  ...options
}: Pick<SessionOptions, "device" | "profile"> & { isLarge: boolean }): Graphs {
  const [kept, packed, passing]: [Sessions, Sessions, Sessions] = [new Map(), new Map(), new Map()];
  // what is released can tell nothing any more
  const isPassing = isLarge && !options.profile;
  const among =
    (sessions: Sessions, memory: SessionOptions["memory"] = isLarge ? "returned" : "kept") =>
    (name: string, threads: number, build: Build) => {
      const key = `${name}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
      const compiled = sessions.get(key) ?? createSession(build(), { ...options, threads, memory });
      sessions.set(key, compiled);
      return compiled;
    };
  const inKept = among(kept);
  const inPassing = among(passing, "pooled");
  return {
    kept: inKept,
    packed: among(packed),
    async passing(name, threads, build) {
      if (!isPassing) return inKept(name, threads, build);
      if ([...passing.keys()].some((other) => !other.startsWith(`${name},`))) await releaseAll(passing);
      return inPassing(name, threads, build);
    },
    dropPacked: () => releaseAll(packed),
    dropPassing: () => releaseAll(passing),
    async profile() {
      const profiles: GraphTime[] = [];
      for (const [graph, compiled] of [...kept, ...packed]) {
        const time = await (await compiled).profile();
        if (time) profiles.push({ graph, ...time });
      }
      return longestFirst(profiles);
    },
    async release() {
      for (const sessions of [kept, packed, passing]) await releaseAll(sessions);
    },
  };
}

async function releaseAll(sessions: Sessions): Promise<void> {
  for (const compiled of sessions.values()) await (await compiled).release();
  sessions.clear();
}
