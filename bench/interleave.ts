/**
 * Runs commands in turn for some rounds, so that slow phases of a shared machine hit all of them, and writes every JSON
 * line that they print, with the machine, to bench/results/<plan>.jsonl; then prints the medians.
 *
 * npx tsx bench/interleave.ts bench/plans/<plan>.json <rounds>
 * A plan: [{ "name": "ours", "command": "npx tsx bench/decode.ts --shape M", "env": {}, "cwd": "." }]
 */
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { basename } from "node:path";
import { median } from "../src/core/median.ts";

interface Entry {
  name: string;
  command: string;
  env?: Record<string, string>;
  cwd?: string;
}

const [, , planFile = "", rounds = "5"] = process.argv;
const plan = JSON.parse(readFileSync(planFile, "utf8")) as Entry[];
mkdirSync("bench/results", { recursive: true });
const results = `bench/results/${basename(planFile, ".json")}.jsonl`;
rmSync(results, { force: true });
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memory_gib: totalmem() / 2 ** 30 };
appendFileSync(
  results,
  `${JSON.stringify({ date: new Date().toISOString(), ...machine, node: process.version })}\n`,
);

/** Numbers, also those one level down: `{ train: { median_s: 1 } }` has "train.median_s". */
function flatten(record: Record<string, unknown>): [key: string, value: number][] {
  return Object.entries(record).flatMap(([key, value]): [string, number][] => {
    if (typeof value === "number") return [[key, value]];
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
    return Object.entries(value).flatMap(([inner, number]): [string, number][] =>
      typeof number === "number" ? [[`${key}.${inner}`, number]] : [],
    );
  });
}

/** What tells measurements of one program apart; all other numbers are what it measured. */
const LABELS = ["bench", "shape", "variant", "type", "batch", "G", "prefix"];
const values = new Map<string, Map<string, number[]>>();
for (let round = 0; round < Number(rounds); round++) {
  for (const { name, command, env, cwd } of plan) {
    const load = loadavg()[0];
    const { stdout, status, stderr } = spawnSync("bash", ["-c", command], {
      encoding: "utf8",
      env: { ...process.env, ...env },
      ...(cwd && { cwd }),
    });
    if (status !== 0) {
      process.exitCode = 1;
      console.error(`${name} ended with ${status}: ${stderr.slice(-500)}`);
    }
    for (const line of stdout.split("\n").filter((text) => text.startsWith('{"'))) {
      const record = JSON.parse(line) as Record<string, unknown>;
      appendFileSync(results, `${JSON.stringify({ name, round, load, ...record })}\n`);
      const label = [name, ...LABELS.flatMap((key) => (key in record ? [String(record[key])] : []))].join(
        " ",
      );
      const numbers = values.get(label) ?? new Map<string, number[]>();
      values.set(label, numbers);
      for (const [key, value] of flatten(record)) {
        if (!LABELS.includes(key)) numbers.set(key, [...(numbers.get(key) ?? []), value]);
      }
    }
  }
}
for (const [label, numbers] of values) {
  const medians = [...numbers].map(([key, list]) => `${key} ${Number(median(list).toPrecision(4))}`);
  console.log(`${label}: ${medians.join(", ")}`);
}
