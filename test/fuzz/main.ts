/**
 * The long run: `npm run test:fuzz -- [--cases 1000] [--seed 1] [--reader name [--case n]]`. Cases are those of each reader.
 * With --case and --reader a single one is repeated and its files are kept.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fuzz, type Tally, tableOf } from "./fuzz.ts";
import { readers } from "./readers.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    reader: { type: "string" },
    case: { type: "string" },
  },
});
const names = readers.map(({ name }) => name).filter((name) => !values.reader || name === values.reader);
if (names.length === 0)
  throw new Error(`--reader must be one of ${readers.map(({ name }) => name).join(", ")}`);

if (values.case !== undefined && !values.reader)
  throw new Error("--case needs --reader: its cases are counted");

if (values.case !== undefined) {
  const folder = mkdtempSync(join(tmpdir(), "mulligan-fuzz-case-"));
  const child = fileURLToPath(new URL("./child.ts", import.meta.url));
  const n = Number(values.case);
  const args = ["--import", "tsx", child, names[0]!, values.seed, String(n), String(n + 1), folder];
  spawnSync(process.execPath, args, { stdio: "inherit" });
  console.log(`the files are in ${folder}`);
  process.exit();
}

const tallies: Tally[] = [];
const waiting = [...names];
const work = async () => {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const tally = await fuzz(name, Number(values.seed), 0, Number(values.cases));
    tallies.push(tally);
    for (const { case: n, fault } of tally.faults) {
      console.log(
        `${name}, case ${n}: ${fault}\n  npm run test:fuzz -- --seed ${values.seed} --reader "${name}" --case ${n}\n`,
      );
    }
  }
};
await Promise.all(Array.from({ length: Math.max(1, availableParallelism()) }, work));
tallies.sort((a, b) => names.indexOf(a.reader) - names.indexOf(b.reader));
console.log(tableOf(tallies));
process.exitCode = tallies.some(({ faults }) => faults.length > 0) ? 1 : 0;
