/**
 * `npm run test:torture`: kills a small run again and again, in every phase, and goes on with it; whatever it was, the end
 * must be the run that was never killed, byte for byte. `--kills all` kills at every operation on the disk, six times as often.
 */
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRng } from "../../src/core/rng.ts";
import { injectedKills, type Kill, spread, timedKills } from "./kills.ts";
import { type Death, liveThrough } from "./life.ts";
import { PHASES } from "./phases.ts";
import { type Bench, begin, type Contents, contentsOf, setUpBench } from "./victim.ts";

const { values: flags } = parseArgs({
  options: {
    /** Runs to kill, each at least once; "all": one for every point, one for the middle of every write, and some more. */
    kills: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    /** Runs at once. */
    jobs: { type: "string", default: String(availableParallelism()) },
  },
});
/** Kills from outside when there is one for every point. Arbitrary. */
const MOMENTS = 60;
const rng = createRng(Number(flags.seed));
if (!/^([1-9]\d*|all)$/.test(flags.kills))
  throw new RangeError(`--kills: must be a number or all, got ${flags.kills}`);

const bench = await setUpBench();
const place = await bench.place("reference");
const { code, err, points } = await begin(place);
if (code !== 0) throw new Error(`the run that is not killed fails: ${err}`);
const reference = await contentsOf(place);
console.log(`reference: ${points.length} points, ${reference.size} files`);

const kills = plan();
const began = performance.now();
const { deaths, failures } = await tortureAll(bench, kills, reference);
printTable(deaths);
const seconds = Math.round((performance.now() - began) / 1000);
console.log(`${deaths.length} kills of ${kills.length} runs in ${seconds} s, ${failures} runs not survived`);
if (failures > 0) process.exitCode = 1;
else bench.remove();

/** Of 100 kills 10 are injected into each phase, where they hit; the others come from outside. */
function plan(): Kill[] {
  const all = injectedKills(points);
  const isAll = flags.kills === "all";
  const injected = isAll ? all : spread(all, Math.max(1, Math.round(Number(flags.kills) / 10)));
  const rest = isAll ? MOMENTS : Math.max(0, Number(flags.kills) - injected.length);
  return rng.fork("order").shuffle([...injected, ...timedKills(points, rest, rng.fork("moments"))]);
}

async function tortureAll({ place: newPlace }: Bench, all: readonly Kill[], whole: Contents) {
  const deaths: Death[] = [];
  let [next, done, failures] = [0, 0, 0];
  const work = async () => {
    for (let number = next++; number < all.length; number = next++) {
      const kill = all[number]!;
      const own = await newPlace(`run-${number}`);
      const life = await liveThrough(own, kill, whole, rng.fork(number));
      deaths.push(...life.deaths);
      const how = life.deaths.map(({ way, phase }) => `${phase} (${way})`).join(", ") || "ended before";
      console.log(
        `${++done}/${all.length}  ${kill.name}: killed while ${how}${life.wrong.length > 0 ? "  WRONG" : ""}`,
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
  console.log("\n| killed while | injected | at a random time | all |\n| :-- | --: | --: | --: |");
  for (const phase of phases) {
    const own = deaths.filter((death) => death.phase === phase);
    const injected = own.filter(({ way }) => way === "injected").length;
    console.log(`| ${phase} | ${injected} | ${own.length - injected} | ${own.length} |`);
  }
}
