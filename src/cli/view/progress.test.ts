import { expect, test } from "vitest";
import { formatDuration, formatNumber } from "./format.ts";
import { createProgress } from "./progress.ts";

/** A stream that keeps what was written and a clock that is set by hand. */
function setUp(isTTY: boolean, { columns = 100, start = 0 } = {}) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const progress = createProgress({
    stream: { write: (text: string) => written.push(text), isTTY, columns },
    ...{ label: "train", total: 60, start, now: () => clock.ms },
  });
  return { written, clock, progress };
}

const facts = { reward: 0.3125, tokensPerSecond: 4119.6 };

test("on a terminal, redraws one line with bar, step, reward, speed and time left", () => {
  const { written, clock, progress } = setUp(true);
  clock.ms = 15_000;
  progress.update(15, facts);
  clock.ms = 30_000;
  progress.update(30, facts);
  progress.end();
  expect(written).toEqual([
    "\r\u001b[Ktrain █████░░░░░░░░░░░░░░░  15/60  reward 0.31  4,120 tokens/s  45 s left",
    "\r\u001b[Ktrain ██████████░░░░░░░░░░  30/60  reward 0.31  4,120 tokens/s  30 s left",
    "\n",
  ]);
});

test("on a terminal, redraws at most ten times a second, but always the last step", () => {
  const { written, clock, progress } = setUp(true);
  for (let step = 1; step <= 60; step++) {
    clock.ms += 30;
    progress.update(step);
  }
  // 30, 150, 270, … ms: every fourth step from the first, and the last one
  expect(written.length).toBe(16);
  expect(written.at(-1)).toContain("60/60");
});

test("never wraps, and keeps a line that was printed above the bar", () => {
  const { written, progress } = setUp(true, { columns: 20 });
  progress.update(1, facts);
  progress.print("step 20: rescue 24.7 %");
  expect(written).toEqual([
    "\r\u001b[Ktrain ░░░░░░░░░░░░░",
    "\r\u001b[Kstep 20: rescue 24.7 %\ntrain ░░░░░░░░░░░░░",
  ]);
});

test("elsewhere, prints a plain line every ten seconds, the first and the last", () => {
  const { written, clock, progress } = setUp(false);
  for (let step = 1; step <= 60; step++) {
    clock.ms += 1000;
    progress.update(step, { note: "812 failures" });
  }
  progress.print("done");
  progress.end();
  expect(written.length).toBe(8);
  expect(written.slice(0, 2)).toEqual([
    "train  1/60  812 failures  59 s left\n",
    "train  11/60  812 failures  49 s left\n",
  ]);
  expect(written.slice(-2)).toEqual(["train  60/60  812 failures  1 min 00 s\n", "done\n"]);
  for (const control of ["\r", "\u001b", "█"]) expect(written.join("")).not.toContain(control);
});

test("says what there is to do before the first of it is done", () => {
  for (const isTTY of [true, false]) {
    const { written, clock, progress } = setUp(isTTY);
    progress.begin();
    clock.ms = 10;
    progress.update(1);
    expect(written[0]).toBe(isTTY ? "\r\u001b[Ktrain ░░░░░░░░░░░░░░░░░░░░  60 to do" : "train  60 to do\n");
    expect(written[1]).toContain("  1/60  ");
  }
});

test("counts the time left from where a resumed run began", () => {
  const { written, clock, progress } = setUp(false, { start: 50 });
  clock.ms = 5000;
  progress.update(55);
  expect(written).toEqual(["train  55/60  5 s left\n"]);
});

test("formats durations and numbers", () => {
  expect([0.4, 59.4, 59.6, 72, 3599.6, 3780, 7199].map(formatDuration)).toEqual([
    ...["0 s", "59 s", "1 min 00 s", "1 min 12 s", "1 h 00 min", "1 h 03 min", "2 h 00 min"],
  ]);
  expect([4120, 0.3125, 1e-4, 12.345, 1234.5, Number.NaN].map(formatNumber)).toEqual([
    ...["4,120", "0.313", "0.000100", "12.3", "1,235", "–"],
  ]);
});
