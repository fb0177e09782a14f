/** Which kills a run is to survive: at points of a whole run, and at moments between them. Seeded, in an order of its own. */
import type { Rng } from "../../src/core/rng.ts";
import { PHASES, type Phase, phasesOf } from "./phases.ts";
import { type Blow, faultAt, splitPoint } from "./victim.ts";

export interface Kill {
  /** Where it is aimed; what it hits may be another phase when it comes from outside. */
  name: string;
  way: "injected" | "timed";
  blow(place: string): Blow;
}

/** Longest wait after a point before a kill from outside. */
const MOMENT_MS = 40;

/** A kill before each point, and one in the middle of each write. */
export function injectedKills(points: readonly string[]): (Kill & { phase: Phase })[] {
  const phases = phasesOf(points);
  const counts = new Map<string, number>();
  return points.flatMap((point, i) => {
    const count = (counts.get(point) ?? 0) + 1;
    counts.set(point, count);
    const ways = splitPoint(point)[0] === "write" ? ["kill", "torn"] : ["kill"];
    return ways.map((what) => ({
      name: `${what} ${point} (${count})`,
      way: "injected" as const,
      phase: phases[i]!,
      blow: (place: string) => faultAt(place, point, count, what),
    }));
  });
}

/** Kills at moments of each phase in turn. */
export function timedKills(points: readonly string[], count: number, rng: Rng): Kill[] {
  const phases = phasesOf(points);
  return Array.from({ length: count }, (_, i) => {
    const phase = PHASES[i % PHASES.length]!;
    const inPhase = points.flatMap((_, at) => (phases[at] === phase ? [at + 1] : []));
    const after = { points: rng.choice(inPhase), delayMs: rng.int(0, MOMENT_MS) };
    const name = `${after.delayMs} ms after point ${after.points} (${phase})`;
    return { name, way: "timed", blow: () => ({ after }) };
  });
}

/** So many of each phase, evenly over it. */
export function spread<K extends { phase: Phase }>(kills: readonly K[], each: number): K[] {
  return PHASES.flatMap((phase) => {
    const own = kills.filter((kill) => kill.phase === phase);
    const step = Math.max(1, own.length / each);
    return own.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
  });
}
