/** The life of one run: ended, looked at, and gone on with until it is done; it must then be the run that was never ended. */
import type { Rng } from "../../src/core/rng.ts";
import type { Kill } from "./kills.ts";
import { type Phase, phasesOf } from "./phases.ts";
import { begin, type Contents, differences, type Ending, goOn, halves } from "./victim.ts";

export interface Death {
  way: Kill["way"] | "stopped";
  phase: Phase;
}

export interface Life {
  deaths: Death[];
  /** What was wrong, in words; empty for a run that survived. */
  wrong: string[];
}

/** Further kills hit a run that goes on at most so many points from its start. */
const EARLY_POINTS = 120;
const MOST_DEATHS = 3;
/** How often a run that goes on after a kill is killed again. After a stop it always is. */
const AGAIN = 1 / 3;
/** A process that was asked to stop and did (cli/interrupt.ts). */
const STOPPED = 143;

export async function liveThrough(place: string, kill: Kill, reference: Contents, rng: Rng): Promise<Life> {
  const deaths: Death[] = [];
  const wrong: string[] = [];
  const hasStopped = () => deaths.some(({ way }) => way === "stopped");
  const look = async (ending: Ending, way: Kill["way"]) => {
    if (ending.code === 0) return;
    if (!isOver(ending)) {
      wrong.push(`ended with code ${ending.code}: ${ending.err.trim().split("\n").slice(-4).join(" | ")}`);
      return;
    }
    const phase = phasesOf(ending.points).at(-1) ?? "starting";
    deaths.push({ way: ending.signal === "SIGKILL" ? way : "stopped", phase });
    for (const name of await halves(place, reference, hasStopped())) wrong.push(`half there: ${name}`);
  };

  let ending = await begin(place, kill.run, kill.blow(place));
  await look(ending, kill.way);
  while (isOver(ending) && wrong.length === 0) {
    const isKilled = deaths.length < MOST_DEATHS && (deaths.at(-1)?.way === "stopped" || rng.next() < AGAIN);
    ending = await goOn(place, kill.run, isKilled ? { fault: `*::${rng.int(1, EARLY_POINTS)}:kill` } : {});
    await look(ending, "injected");
  }
  if (wrong.length === 0)
    wrong.push(...(await differences(place, reference)).map((name) => `differs: ${name}`));
  return { deaths, wrong };
}

/** Ended by a signal, whether or not there was time to react to it. */
const isOver = ({ signal, code }: Ending) => signal !== null || code === STOPPED;
