/** Round numbers for an axis, and numbers as a chart writes them. */
import type { Curve } from "../read/curve.ts";

const STEPS = [1, 2, 2.5, 5, 10];
/** Values that differ by less, relative to their size, differ by rounding. */
const EQUAL = 1e-9;
/** Of a gap between ticks, or one by it the smallest: beyond it doubles overflow or lose their digits. */
const LARGEST = 1e300;

/** Three to six round numbers that enclose the values; none where doubles cannot tell. Shares stay within 0 and 1. */
export function niceTicks(values: readonly number[], unit: Curve["unit"]): number[] {
  const known = values.filter(Number.isFinite);
  let low = known.length > 0 ? known.reduce((a, b) => Math.min(a, b)) : 0;
  let high = known.length > 0 ? known.reduce((a, b) => Math.max(a, b)) : 1;
  if (low > 0 && low < 0.5 * high) low = 0; // not far from it: the eye compares heights
  if (high - low <= EQUAL * Math.max(Math.abs(low), Math.abs(high)))
    [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low) / 2, high + Math.abs(high) / 2];
  const rough = (high - low) / 4;
  if (!(rough > 1 / LARGEST && rough < LARGEST)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * STEPS.find((candidate) => candidate * power >= rough * 0.999)!;
  const first = Math.floor(low / step + 1e-9);
  let last = Math.ceil(high / step - 1e-9);
  if (unit === "percent" && last * step > 1 && high <= 1) last = Math.round(1 / step);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** "12.5 %", "8.2", "0.0035", "1.2e-7"; as many decimals as tell the ticks of an axis apart. */
export function formatValue(value: number, unit: Curve["unit"], ticks?: readonly number[]): string {
  if (!Number.isFinite(value)) return "–";
  const scale = unit === "percent" ? 100 : 1;
  const shown = scale * value;
  const suffix = unit === "percent" ? " %" : unit === "seconds" ? " s" : "";
  const gap = ticks && ticks.length > 1 ? scale * (ticks[1]! - ticks[0]!) : undefined;
  if (gap === undefined && unit !== "number") return `${shown.toFixed(1)}${suffix}`;
  const size = Math.abs(gap ?? shown);
  if (shown === 0) return `0${suffix}`;
  if (size < 1e-3) return `${shown.toExponential(1).replace(".0e", "e")}${suffix}`;
  const decimals = gap === undefined ? Math.max(0, 2 - Math.floor(Math.log10(size))) : decimalsOf(gap);
  return `${shown.toFixed(Math.min(decimals, 6))}${suffix}`;
}

function decimalsOf(gap: number): number {
  for (let decimals = 0; decimals < 6; decimals++) {
    if (Math.abs(gap - Number(gap.toFixed(decimals))) < 1e-9) return decimals;
  }
  return 6;
}
