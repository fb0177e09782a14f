/**
 * Start against trained as a table, one measure a row, for terminals and for Markdown. Knows numbers, not where they
 * come from.
 */
import type { Interval } from "./statistics.ts";

export interface TableRow {
  name: string;
  start: number;
  trained: number;
  /** trained - start. */
  gain: Interval;
  /** "percent": rates, 0.123 as 12.3 %, their gain in points. "number": as it is. Default percent. */
  unit?: "percent" | "number";
}

const HEADER = ["", "start", "trained", "gain", "95 % interval"] as const;

/** Columns aligned by spaces: names to the left, numbers to the right. */
export function renderText(rows: readonly TableRow[]): string {
  const cells = [HEADER, ...rows.map(cellsOf)];
  const widths = HEADER.map((_, column) => Math.max(...cells.map((row) => [...row[column]!].length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
  const rule = "-".repeat(widths.reduce((total, width) => total + width, 2 * (widths.length - 1)));
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

export function renderMarkdown(rows: readonly TableRow[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(HEADER), "| :-- | --: | --: | --: | --: |", ...rows.map((row) => line(cellsOf(row)))].join(
    "\n",
  );
}

/** "12.3 %" for 0.123; a dash where there is no number. */
export function formatPercent(value: number): string {
  return Number.isFinite(value) ? `${decimal(100 * value)} %` : "–";
}

/** A gain in points with its interval: "+12.3 [+9.0, +15.1]". */
export function formatInterval({ estimate, low, high }: Interval): string {
  return `${signed(100 * estimate)} ${formatBounds(low, high, 100)}`;
}

function formatBounds(low: number, high: number, scale: number): string {
  const isKnown = Number.isFinite(low) && Number.isFinite(high);
  return isKnown ? `[${signed(scale * low)}, ${signed(scale * high)}]` : "–";
}

/** Name, start, trained, gain and its interval, as a table shows them. */
export function cellsOf({ name, start, trained, gain, unit = "percent" }: TableRow): string[] {
  const scale = unit === "percent" ? 100 : 1;
  const { estimate, low, high } = gain;
  return [
    name,
    formatLevel(start, unit),
    formatLevel(trained, unit),
    signed(scale * estimate),
    formatBounds(low, high, scale),
  ];
}

/** A rate as a percentage, a number with one decimal; a dash where there is none. */
export function formatLevel(value: number, unit: "percent" | "number"): string {
  return unit === "percent" ? formatPercent(value) : formatNumber(value);
}

function formatNumber(value: number): string {
  return Number.isFinite(value) ? decimal(value) : "–";
}

function signed(value: number): string {
  const text = formatNumber(value);
  return text === "0.0" || !(value > 0) ? text : `+${text}`;
}

/** One decimal, and never "-0.0". */
function decimal(value: number): string {
  const text = value.toFixed(1);
  return text === "-0.0" ? "0.0" : text;
}
