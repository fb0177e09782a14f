/**
 * Retention exercises (copy, sort, add, brackets): one part of the answer goes wrong, and hints give one part. Only
 * training questions appear.
 */
import type { Rng } from "../src/core/rng.ts";
import {
  generateRetention,
  RETENTION_KINDS,
  type RetentionRow,
  retentionSplit,
} from "../src/tasks/retention/generate.ts";
import type { Exercise, Lead } from "./dialogue.ts";

export function drawRetention(rng: Rng): Exercise {
  const [row] = generateRetention({
    count: 1,
    seed: rng.int(0, 2 ** 31),
    kinds: [rng.choice(RETENTION_KINDS)],
    exclude: (row) => retentionSplit(row) !== "train",
  });
  const { question, answer, kind } = row!;
  const shared = { question, right: () => answer };
  if (kind === "brackets") {
    // there is nothing between no hint and the answer itself
    const other = answer === "yes" ? "no" : "yes";
    return { ...shared, wrong: () => other, goodHint: () => undefined, wrongHint: () => undefined };
  }
  if (kind === "add") return { ...shared, ...addition(row!, rng) };
  return { ...shared, ...listing(answer.split(" "), kind === "sort", rng) };
}

/** Sums go wrong in their units or tens; hints give the sum of the units. */
function addition({ question, answer }: RetentionRow, rng: Rng): Omit<Exercise, "question" | "right"> {
  const [a, b] = question.match(/\d+/g)!.map(Number) as [number, number];
  const units = (a % 10) + (b % 10);
  const lead = (slip: number): Lead => ({
    piece: `${a % 10}+${b % 10}=${units + slip}`,
    answer: String(a + b + slip),
  });
  const slip = () => (units > 0 && rng.next() < 0.5 ? -1 : 1);
  return {
    wrong: () => String(Number(answer) + (a + b >= 10 && rng.next() < 0.5 ? 10 : 1) * slip()),
    goodHint: () => lead(0),
    wrongHint: () => lead(slip()),
  };
}

/** Lists go wrong at one place: two neighbours swapped, or in copies a part replaced; hints give what stands there. */
function listing(parts: readonly string[], sorted: boolean, rng: Rng): Omit<Exercise, "question" | "right"> {
  const mistake = (): Lead => {
    const place = rng.int(0, parts.length - 2);
    const [part, next] = [parts[place]!, parts[place + 1]!];
    const replaced = part === next || (!sorted && rng.next() < 0.5);
    const wrong = replaced ? parts.with(place, part === "0" ? "1" : "0") : swap(parts, place);
    return { piece: wrong[place]!, answer: wrong.join(" ") };
  };
  return {
    wrong: () => mistake().answer,
    goodHint: (failed) => {
      const place = failed.split(" ").findIndex((part, i) => part !== parts[i]);
      return { piece: parts[Math.max(place, 0)]!, answer: parts.join(" ") };
    },
    wrongHint: mistake,
  };
}

function swap(parts: readonly string[], place: number): string[] {
  return parts.with(place, parts[place + 1]!).with(place + 1, parts[place]!);
}
