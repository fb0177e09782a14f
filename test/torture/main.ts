/**
 * `npm run test:torture`: kills small runs again and again, in every phase, and goes on with them; whatever it was, the end
 * must be the run that was never killed, byte for byte. `--kills all` kills at every operation on the disk, and takes hours.
 */
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRng } from "../../src/core/rng.ts";
import { injectedKills, type Kill, spread, timedKills } from "./kills.ts";
import { type Death, liveThrough } from "./life.ts";
import { PHASES } from "./phases.ts";
import { type Bench, begin, type Contents, contentsOf, RUNS, type RunName, setUpBench } from "./victim.ts";

const { values: flags } = parseArgs({
  options: {
    /** Runs to kill, each at least once; "all": one for every point, one for the middle of every write, and some more. */
    kills: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    /** Runs at once. */
    jobs: { type: "string", default: String(availableParallelism()) },
  },
});
/** Signals from outside when there is one kill for every point. Arbitrary. */
const MOMENTS = 120;
const rng = createRng(Number(flags.seed));
if (!/^([1-9]\d*|all)$/.test(flags.kills))
  throw new RangeError(`--kills: must be a number or all, got ${flags.kills}`);

const bench = await setUpBench();
const points = new Map<RunName, string[]>();
const references = new Map<RunName, Contents>();
for (const run of Object.keys(RUNS) as RunName[]) {
  const place = await bench.place(run);
  const ending = await begin(place, run);
  if (ending.code !== 0) throw new Error(`${run}: the run that is not killed fails: ${ending.err}`);
  points.set(run, ending.points);
  references.set(run, await contentsOf(place));
  console.log(`${run}: ${ending.points.length} points, ${references.get(run)!.size} files`);
}

const kills = plan();
const began = performance.now();
const { deaths, failures } = await tortureAll(bench, kills);
printTable(deaths);
const seconds = Math.round((performance.now() - began) / 1000);
console.log(`${deaths.length} ends of ${kills.length} runs in ${seconds} s, ${failures} runs not survived`);
if (failures > 0) process.exitCode = 1;
else bench.remove();

/** Of 100 kills 10 are injected into each phase, where they hit; the others come from outside. */
function plan(): Kill[] {
  const all = [...points].flatMap(([run, own]) => injectedKills(run, own));
  const isAll = flags.kills === "all";
  const injected = isAll ? all : spread(all, Math.max(1, Math.round(Number(flags.kills) / 10)));
  const rest = isAll ? MOMENTS : Math.max(0, Number(flags.kills) - injected.length);
  return rng.fork("order").shuffle([...injected, ...timedKills(points, rest, rng.fork("moments"))]);
}

async function tortureAll({ place: newPlace }: Bench, all: readonly Kill[]) {
  const deaths: Death[] = [];
  let [next, done, failures] = [0, 0, 0];
  const work = async () => {
    for (let number = next++; number < all.length; number = next++) {
      const kill = all[number]!;
      const own = await newPlace(`run-${number}`);
      const life = await liveThrough(own, kill, references.get(kill.run)!, rng.fork(number));
      deaths.push(...life.deaths);
      const how =
        life.deaths.map(({ way, phase }) => `${phase} (${way})`).join(", ") || "nothing: it was done";
      console.log(
        `${++done}/${all.length}  ${kill.name}: ended while ${how}${life.wrong.length > 0 ? "  WRONG" : ""}`,
      );
      for (const what of life.wrong) console.log(`    ${what}`);
      if (life.wrong.length > 0) {
        failures++;
        console.log(`    kept in ${join(own, "run")}`);
      } else await rm(own, { recursive: true });
    }
  };
  await Promise.all(Array.from({ length: Number(flags.jobs) }, work));
  return { deaths, failures };
}

function printTable(deaths: readonly Death[]): void {
  const phases = ["starting", ...PHASES] as const;
  const ways = ["injected", "timed", "stopped"] as const;
  console.log(
    "\n| while | killed at a point | killed at a moment | stopped | all |\n| :-- | --: | --: | --: | --: |",
  );
  for (const phase of phases) {
    const own = deaths.filter((death) => death.phase === phase);
    const counts = ways.map((way) => own.filter((death) => death.way === way).length);
    console.log(`| ${phase} | ${[...counts, own.length].join(" | ")} |`);
  }
}
