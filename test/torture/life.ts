/** The life of one run: killed, looked at, and gone on with until it is done; it must then be the run that was never killed. */
import type { Rng } from "../../src/core/rng.ts";
import type { Kill } from "./kills.ts";
import { type Phase, phasesOf } from "./phases.ts";
import { begin, type Contents, differences, type Ending, goOn, halves } from "./victim.ts";

export interface Death {
  way: Kill["way"];
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
/** How often a run that goes on is killed again. */
const AGAIN = 1 / 3;

export async function liveThrough(place: string, kill: Kill, reference: Contents, rng: Rng): Promise<Life> {
  const deaths: Death[] = [];
  const wrong: string[] = [];
  const look = async ({ signal, code, err, points }: Ending, way: Kill["way"]) => {
    if (signal !== "SIGKILL") {
      if (code !== 0) wrong.push(`ended with code ${code}: ${err.trim().split("\n").slice(-4).join(" | ")}`);
      return;
    }
    deaths.push({ way, phase: phasesOf(points).at(-1) ?? "starting" });
    for (const name of await halves(place, reference)) wrong.push(`half there after a kill: ${name}`);
  };

  let ending = await begin(place, kill.blow(place));
  await look(ending, kill.way);
  while (ending.signal === "SIGKILL" && wrong.length === 0) {
    const isKilled = deaths.length < MOST_DEATHS && rng.next() < AGAIN;
    ending = await goOn(place, isKilled ? { fault: `*::${rng.int(1, EARLY_POINTS)}:kill` } : {});
    await look(ending, "injected");
  }
  if (wrong.length === 0)
    wrong.push(...(await differences(place, reference)).map((name) => `differs: ${name}`));
  return { deaths, wrong };
}
