/** Some hundreds of cases of the long run (`npm run test:fuzz`). */
import { expect, test } from "vitest";
import { fuzz } from "./fuzz.ts";

const CASES = 400;

test("mutated files are read or refused with an error of ours, in time and in memory", {
  timeout: 120_000,
}, async () => {
  const { outcomes, faults } = await fuzz("all", 1, 0, CASES);
  expect(faults).toEqual([]);
  expect(outcomes).toHaveLength(CASES);
  expect(outcomes.filter(({ isParsed }) => isParsed).length / CASES).toBeGreaterThan(0.3);
});
