/** Which kills runs are to survive: at points of a whole run, and at moments between them. Seeded, in an order of its own. */
import type { Rng } from "../../src/core/rng.ts";
import { PHASES, type Phase, phasesOf } from "./phases.ts";
import { type Blow, faultAt, type RunName, splitPoint } from "./victim.ts";

export interface Kill {
  /** Where it is aimed; what it hits may be another phase when it comes from outside. */
  name: string;
  run: RunName;
  way: "injected" | "timed";
  blow(place: string): Blow;
}

/** Longest wait after a point before a signal from outside. */
const MOMENT_MS = 40;

/** A kill before each point, and one in the middle of each write. */
export function injectedKills(run: RunName, points: readonly string[]): (Kill & { phase: Phase })[] {
  const phases = phasesOf(points);
  const counts = new Map<string, number>();
  return points.flatMap((point, i) => {
    const count = (counts.get(point) ?? 0) + 1;
    counts.set(point, count);
    const ways = splitPoint(point)[0] === "write" ? ["kill", "torn"] : ["kill"];
    return ways.map((what) => ({
      name: `${run}: ${what} ${point} (${count})`,
      run,
      way: "injected" as const,
      phase: phases[i]!,
      blow: (place: string) => faultAt(place, point, count, what),
    }));
  });
}

/**
 * At moments of each phase in turn, of each run in turn: a kill, and every second time a request to stop, which leaves what
 * only a stop leaves (a validation that is owed).
 */
export function timedKills(points: ReadonlyMap<RunName, readonly string[]>, count: number, rng: Rng): Kill[] {
  const moments = PHASES.flatMap((phase) =>
    [...points].flatMap(([run, own]) => {
      const inPhase = phasesOf(own).flatMap((name, at) => (name === phase ? [at + 1] : []));
      return inPhase.length > 0 ? [{ run, phase, inPhase }] : [];
    }),
  );
  return Array.from({ length: count }, (_, i) => {
    const { run, phase, inPhase } = moments[i % moments.length]!;
    // by turns of all moments, so that each has both
    const signal = (i + Math.floor(i / moments.length)) % 2 === 0 ? "SIGKILL" : "SIGTERM";
    const after = { signal, points: rng.choice(inPhase), delayMs: rng.int(0, MOMENT_MS) } as const;
    const name = `${run}: ${signal} ${after.delayMs} ms after point ${after.points} (${phase})`;
    return { name, run, way: "timed", blow: () => ({ after }) };
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
