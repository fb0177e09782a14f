/**
 * A curve as a figure: a drawing for the eye, a line that says where it begins and ends, and every number in a table.
 * Drawn here and not in the browser, so that it needs no script; colours come from the page's style.
 */
import type { Curve, Point } from "../read/curve.ts";
import { type Html, html } from "./html.ts";
import { formatValue, niceTicks } from "./ticks.ts";

const WIDTH = 400;
const HEIGHT = 170;
const MARGIN = { left: 46, right: 10, top: 10, bottom: 22 };
/** Fewer points are seen one by one. */
const FEW_POINTS = 20;

interface Scale {
  x(step: number): number;
  y(value: number): number;
  ticks: number[];
  steps: number[];
}

export function curveFigure(curve: Curve): Html {
  const scale = scaleOf(curve);
  const { title, note, series, unit, band } = curve;
  const legend = series.map(
    ({ name, points }, s) =>
      html`<li><svg class="key s${s}" viewBox="0 0 18 8" aria-hidden="true"><path d="M0 4H18" class="line" /></svg>${name} <b>${lastOf(points, unit)}</b></li>`,
  );
  return html`
<figure class="curve" data-x0="${scale.x(scale.steps[0]!)}" data-x1="${scale.x(scale.steps.at(-1)!)}"
  data-first="${scale.steps[0]!}" data-last="${scale.steps.at(-1)!}">
  <figcaption><h3>${title}</h3><p class="note">${note}${band !== undefined && ` Band: ${band}.`}</p></figcaption>
  <ul class="legend">${legend}</ul>
  ${scale.ticks.length > 0 ? drawing(curve, scale) : html`<p class="note">Numbers too far apart to draw.</p>`}
  <p class="readout" aria-hidden="true"></p>
  <details><summary>Numbers<span class="hidden"> of ${title}</span></summary>${numbers(curve)}</details>
</figure>`;
}

function drawing(curve: Curve, scale: Scale): Html {
  const { series, unit } = curve;
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const rows = scale.ticks.map((tick) => {
    const y = scale.y(tick).toFixed(1);
    return html`<path class="grid" d="M${MARGIN.left} ${y}H${right}" /><text class="tick" x="${MARGIN.left - 6}" y="${y}" dy="0.32em" text-anchor="end">${formatValue(tick, unit, scale.ticks)}</text>`;
  });
  const columns = scale.steps.map(
    (step, i) =>
      html`<text class="tick" x="${scale.x(step).toFixed(1)}" y="${bottom + 15}" text-anchor="${i === 0 ? "start" : i === scale.steps.length - 1 ? "end" : "middle"}">${step}</text>`,
  );
  return html`<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${summary(curve)}">
${rows}${columns}
${series.map(({ points }, s) => seriesPaths(points, s, scale, curve.smooth))}
<path class="cursor" d="M0 ${MARGIN.top}V${bottom}" /></svg>`;
}

function seriesPaths(points: readonly Point[], s: number, scale: Scale, smooth: boolean): Html {
  const isNoisy = smooth && points.length >= FEW_POINTS;
  const band = points.filter(({ low, high }) => low !== undefined && high !== undefined);
  const edge = (of: (point: Point) => number, list: readonly Point[]) =>
    list.map((point) => `${scale.x(point.step).toFixed(1)} ${scale.y(of(point)).toFixed(1)}`).join("L");
  return html`<g class="s${s}">
${band.length > 1 && html`<path class="band" d="M${edge(({ high }) => high!, band)}L${edge(({ low }) => low!, band.toReversed())}Z" />`}
${isNoisy && html`<path class="line raw" d="${linePath(points, scale)}" />`}
<path class="line" d="${linePath(isNoisy ? movingMean(points) : points, scale)}" />
${points.length < FEW_POINTS && dots(points, scale)}
${points.map(({ step, value }) => value === null && html`<text class="missing" x="${scale.x(step).toFixed(1)}" y="${HEIGHT - MARGIN.bottom - 3}" text-anchor="middle">×</text>`)}
</g>`;
}

function dots(points: readonly Point[], scale: Scale): Html[] {
  return points.flatMap(({ step, value }) =>
    value === null
      ? []
      : html`<circle class="dot" cx="${scale.x(step).toFixed(1)}" cy="${scale.y(value).toFixed(1)}" r="2.5" />`,
  );
}

/** Broken where there is no number. */
function linePath(points: readonly Point[], { x, y }: Scale): string {
  let isOpen = false;
  const parts = points.map(({ step, value }) => {
    const command = isOpen ? "L" : "M";
    isOpen = value !== null;
    return value === null ? "" : `${command}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  return parts.join("");
}

/** Over a tenth of the curve, centred; for the few hundred points that a curve is thinned to. */
function movingMean(points: readonly Point[]): Point[] {
  const half = Math.floor(points.length / 20);
  return points.map(({ step, value }, i) => {
    const near = points.slice(Math.max(0, i - half), i + half + 1).flatMap((point) => point.value ?? []);
    return { step, value: value === null ? null : near.reduce((mean, x) => mean + x / near.length, 0) };
  });
}

function scaleOf({ series, unit }: Curve): Scale {
  const points = series.flatMap((one) => one.points);
  const values = points.flatMap(({ value, low, high }) => [value, low, high]).filter((v) => v != null);
  const ticks = niceTicks(values, unit);
  const [bottom, top] = [ticks[0]!, ticks.at(-1)!];
  const first = points.reduce((least, { step }) => Math.min(least, step), Infinity);
  const last = points.reduce((most, { step }) => Math.max(most, step), -Infinity);
  const width = WIDTH - MARGIN.left - MARGIN.right;
  const height = HEIGHT - MARGIN.top - MARGIN.bottom;
  const middle = Math.round((first + last) / 2);
  return {
    x: (step) => MARGIN.left + (last === first ? width / 2 : ((step - first) / (last - first)) * width),
    y: (value) => HEIGHT - MARGIN.bottom - ((value - bottom) / (top - bottom)) * height,
    ticks,
    steps: [...new Set([first, middle, last])],
  };
}

function lastOf(points: readonly Point[], unit: Curve["unit"]): string {
  const { value } = points.at(-1)!;
  return value === null ? "not a number" : formatValue(value, unit);
}

/** What a reader who cannot see the drawing is told. */
function summary({ title, series, unit }: Curve): string {
  const parts = series.map(({ name, points }) => {
    const known = points.filter(({ value }) => value !== null);
    const [first, last] = [known[0], known.at(-1)];
    if (!first || !last) return `${name}: never a number`;
    const show = ({ step, value }: Point) => `${formatValue(value!, unit)} at step ${step}`;
    const missing = points.length - known.length;
    return `${name}: from ${show(first)} to ${show(last)}${missing > 0 ? `, not a number at ${missing} steps` : ""}`;
  });
  return `${title}. ${parts.join("; ")}.`;
}

function numbers({ series, unit, band, title }: Curve): Html {
  const steps = [...new Set(series.flatMap(({ points }) => points.map(({ step }) => step)))].sort(
    (a, b) => a - b,
  );
  const at = series.map(({ points }) => new Map(points.map((point) => [point.step, point])));
  const cell = (point: Point | undefined) => {
    if (!point) return "";
    if (point.value === null) return "not a number";
    const { value, low, high } = point;
    const bounds =
      low === undefined || high === undefined
        ? ""
        : ` [${formatValue(low, unit)}, ${formatValue(high, unit)}]`;
    return formatValue(value, unit) + bounds;
  };
  return html`<div class="scroll" role="region" tabindex="0" aria-label="Numbers of ${title}"><table class="numbers"><caption class="hidden">${title}${band !== undefined && `, in brackets: ${band}`}</caption>
<thead><tr><th scope="col">step</th>${series.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${steps.map((step) => html`<tr><th scope="row">${step}</th>${at.map((points) => html`<td>${cell(points.get(step))}</td>`)}</tr>`)}</tbody></table></div>`;
}
