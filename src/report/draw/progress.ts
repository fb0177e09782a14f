/** How the run went: warnings, curves over steps, and where the time of its steps went. */
import { median } from "../../core/median.ts";
import { curvesOf, timeCurvesOf } from "../read/curves.ts";
import { pagePlain } from "../read/page-text.ts";
import type { RunData } from "../read/run-data.ts";
import { curveFigure } from "./chart.ts";
import { type Html, html } from "./html.ts";

/** A run that warns at every step says the same each time. */
const MOST_WARNINGS = 100;
/** Steps whose update was dropped, by number. */
const MOST_SKIPPED = 50;
const shown = (text: string) => pagePlain(text, 2000);

/** Nothing before the first step: silence would then say nothing. */
export function warningsSection({ warnings, skipped, metrics }: RunData): Html | undefined {
  if (metrics.length === 0 && warnings.length === 0 && skipped.length === 0) return undefined;
  const rest = warnings.length - MOST_WARNINGS;
  const others = skipped.length - MOST_SKIPPED;
  return html`
<section id="warnings" aria-labelledby="warnings-title">
  <h2 id="warnings-title">Warnings</h2>
  ${warnings.length === 0 && skipped.length === 0 && html`<p>None.</p>`}
  ${skipped.length > 0 && html`<p>Updates dropped at step ${skipped.slice(0, MOST_SKIPPED).join(", ")}${others > 0 && ` and ${others} more`}; their batches lie in <code>skipped/</code>.</p>`}
  <ul class="warnings">${warnings
    .slice(0, MOST_WARNINGS)
    .map(
      ({ step, kind, message, hint }) =>
        html`<li><span class="badge warn">step ${step} · ${pagePlain(kind, 60).replaceAll("_", " ")}</span> <bdi>${shown(message)}</bdi><br /><span class="note"><bdi>${shown(hint)}</bdi></span></li>`,
    )}</ul>
  ${rest > 0 && html`<p class="note">${rest} more in <code>warnings.jsonl</code>.</p>`}
</section>`;
}

export function curvesSection(run: RunData): Html | undefined {
  const curves = curvesOf(run);
  if (curves.length === 0) return undefined;
  const isSmoothed = curves.some(({ smooth, series }) => smooth && series[0]!.points.length >= 20);
  return html`
<section id="curves" aria-labelledby="curves-title">
  <h2 id="curves-title">Curves</h2>
  <p class="note">By training step.${isSmoothed && " Thin: each step; thick: a moving mean."} Every number is in the table under its curve.</p>
  <div class="curves">${curves.map(curveFigure)}</div>
</section>`;
}

const PHASES = ["sample", "verify", "train", "other"] as const;

/** Nothing without timings. */
export function timeSection(run: RunData): Html | undefined {
  const { timings } = run;
  if (timings.length === 0) return undefined;
  const total = (name: string) => timings.reduce((sum, line) => sum + (line[name] ?? 0), 0);
  const all = total("step_time");
  const phases = PHASES.map((name) => ({ name, seconds: total(`time/${name}`) }));
  const sum = phases.reduce((whole, { seconds }) => whole + seconds, 0) || 1;
  const share = (seconds: number) => (Number.isFinite(sum) ? seconds / sum : 0); // a damaged file may hold any
  const ends = phases.map((_, i) => phases.slice(0, i + 1).reduce((end, { seconds }) => end + seconds, 0));
  const bar = phases.map(({ seconds }, i) => {
    const x = 600 * share(ends[i]! - seconds);
    return html`<rect class="s${i}" x="${x.toFixed(1)}" y="0" width="${(600 * share(seconds)).toFixed(1)}" height="20" />`;
  });
  return html`
<section id="time" aria-labelledby="time-title">
  <h2 id="time-title">Time</h2>
  <p class="note">Of ${timings.length} training ${timings.length === 1 ? "step" : "steps"}: ${duration(all)}. Collecting failures and evaluations are not in it.</p>
  <svg class="phases" viewBox="0 0 600 20" preserveAspectRatio="none" aria-hidden="true">${bar}</svg>
  <div class="scroll" role="region" tabindex="0" aria-label="Time by phase">
  <table class="contrast"><caption class="hidden">Time by phase</caption>
  <thead><tr><th scope="col">phase</th><th scope="col">seconds</th><th scope="col">share</th><th scope="col">median of a step</th></tr></thead>
  <tbody>${phases.map(
    ({ name, seconds }, i) =>
      html`<tr><th scope="row"><svg class="key" viewBox="0 0 12 12" aria-hidden="true"><rect class="s${i}" width="12" height="12" rx="2" /></svg>${name}</th><td>${seconds.toFixed(1)}</td><td>${(100 * share(seconds)).toFixed(1)} %</td><td>${median(timings.map((line) => line[`time/${name}`] ?? 0)).toFixed(2)} s</td></tr>`,
  )}</tbody></table></div>
  <div class="curves">${timeCurvesOf(run).map(curveFigure)}</div>
</section>`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
