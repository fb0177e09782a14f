/** What training changed: the paper's columns, rescue with its controls, sorts of mistake, and how sure each gain is. */
import {
  type Comparison,
  cellsOf,
  evaluationRows,
  formatInterval,
  formatLevel,
  formatPercent,
  type Measure,
  type ReportTable,
  reportCaption,
  reportTables,
  type TableRow,
} from "../../evaluate/index.ts";
import type { RunData } from "../read/run-data.ts";
import { type Html, html } from "./html.ts";

/** Of a finished run the comparison, of another one the starting model alone. */
export function resultsSection(run: RunData): Html {
  const { comparison, swap, transfer } = run;
  return html`
<section id="results" aria-labelledby="results-title">
  <h2 id="results-title">Results</h2>
  ${comparison ? comparisonParts(comparison) : startParts(run)}
  ${swap && swap.length > 0 && swapTable(swap)}
  ${transfer && transfer.length > 0 && transferTable(transfer)}
</section>`;
}

const TILES: [Measure, string][] = [
  ["first_try", "First try"],
  ["second_try", "Second try, after reflecting"],
  ["rescue", "Rescue of failures"],
];

function comparisonParts(comparison: Comparison): Html {
  const tiles = TILES.flatMap(([measure, name]) => {
    const contrast = comparison.measures[measure];
    if (!contrast) return [];
    const { start, trained, gain } = contrast;
    return html`<div class="tile"><dt>${name}</dt>
<dd><span class="before">${formatPercent(start.estimate)}</span> <span aria-hidden="true">→</span><span class="hidden"> before, after training </span> <b>${formatPercent(trained.estimate)}</b>
<small>${formatInterval(gain)} points</small></dd></div>`;
  });
  return html`
<dl class="tiles">${tiles}</dl>
${reportTables(comparison).map((table) => comparisonTable(table))}
<p class="note">Gains are in points with their paired-bootstrap 95 % intervals. Drawn: the gain (●) and its interval; ○ where the interval holds 0. ${reportCaption(comparison)}</p>`;
}

function comparisonTable({ title, rows, note }: ReportTable): Html {
  // one scale for the rates of a table, so that rows can be compared; a number of tokens has another unit
  const rates = rows.filter(({ unit }) => unit !== "number");
  const reach = Math.max(0.01, ...rates.flatMap(({ gain }) => [gain.low, gain.high].map(finiteSize)));
  return html`
<h3>${title}</h3>
<div class="scroll" role="region" tabindex="0" aria-label="${title}">
<table class="contrast"><caption class="hidden">${title}</caption>
<thead><tr><td></td><th scope="col">start</th><th scope="col">trained</th><th scope="col">gain, 95 % interval</th><td class="forest-cell"></td></tr></thead>
<tbody>${rows.map((row) => contrastRow(row, reach))}</tbody></table></div>
${note !== "" && html`<p class="note">${note}</p>`}`;
}

const finiteSize = (value: number) => (Number.isFinite(value) ? Math.abs(value) : 0);

function contrastRow(row: TableRow, reach: number): Html {
  const [name, start, trained, gain, bounds] = cellsOf(row);
  return html`<tr><th scope="row">${name}</th><td>${start}</td><td>${trained}</td>
<td class="gain"><b>${gain}</b> <span>${bounds}</span></td>
<td class="forest-cell">${row.unit !== "number" && forest(row, reach)}</td></tr>`;
}

/** The gain with its interval on an axis from -reach to reach. */
function forest({ gain: { estimate, low, high } }: TableRow, reach: number): Html | undefined {
  if (![estimate, low, high].every(Number.isFinite)) return undefined;
  const x = (value: number) => (80 + (value / reach) * 74).toFixed(1);
  const isOpen = low <= 0 && high >= 0;
  return html`<svg class="forest" viewBox="0 0 160 20" aria-hidden="true"><path class="zero" d="M80 0V20" /><path class="whisker" d="M${x(low)} 10H${x(high)}" /><circle class="${isOpen ? "open" : "full"}" cx="${x(estimate)}" cy="10" r="4" /></svg>`;
}

function startParts({ testStart, config, metrics }: RunData): Html {
  const stopped =
    metrics.length === 0
      ? "No training step has been made yet."
      : `The run has made ${metrics.at(-1)!.step} of ${config.maxSteps} steps and is not finished: there is no comparison yet.`;
  if (!testStart) return html`<p>${stopped} The starting model has not been evaluated either.</p>`;
  const rows = evaluationRows(testStart, { seed: config.eval.seed, bootstrap: config.eval.bootstrap });
  const { problems, failures } = testStart.counts;
  const title = `The starting model: ${problems} problems, ${failures} failures`;
  return html`
<p>${stopped}</p>
<h3>${title}</h3>
<div class="scroll" role="region" tabindex="0" aria-label="${title}">
<table class="contrast"><caption class="hidden">${title}</caption>
<thead><tr><td></td><th scope="col">rate</th><th scope="col">95 % interval</th></tr></thead>
<tbody>${rows.map(({ name, interval: { estimate, low, high }, unit }) => {
    const [rate, from, to] = [estimate, low, high].map((value) => formatLevel(value, unit));
    return html`<tr><th scope="row">${name}</th><td>${rate}</td><td>${from} to ${to}</td></tr>`;
  })}</tbody></table></div>`;
}

function swapTable(swap: NonNullable<RunData["swap"]>): Html {
  const who = { start: "starting model", trained: "trained model" };
  return html`
<h3>Whose doing: each model after the other's reflections</h3>
<div class="scroll" role="region" tabindex="0" aria-label="Swapped reflections">
<table class="contrast"><caption class="hidden">Rescue by who reflects and who retries</caption>
<thead><tr><th scope="col">reflections by</th><th scope="col">retries by</th><th scope="col">rescue</th><th scope="col">gain, 95 % interval</th></tr></thead>
<tbody>${swap.map(
    ({ reflector, retrier, rescue, gain }) =>
      html`<tr><th scope="row">${who[reflector]}</th><td>${who[retrier]}</td><td>${formatPercent(rescue.estimate)}</td><td>${reflector === "start" && retrier === "start" ? "" : formatInterval(gain)}</td></tr>`,
  )}</tbody></table></div>`;
}

function transferTable(transfer: NonNullable<RunData["transfer"]>): Html {
  return html`
<h3>Other tasks: first tries</h3>
<div class="scroll" role="region" tabindex="0" aria-label="Other tasks">
<table class="contrast"><caption class="hidden">First tries on other tasks</caption>
<thead><tr><th scope="col">task</th><th scope="col">problems</th><th scope="col">start</th><th scope="col">trained</th><th scope="col">gain, 95 % interval</th></tr></thead>
<tbody>${transfer.map(
    ({ task, problems, start, trained, gain }) =>
      html`<tr><th scope="row">${task}</th><td>${problems}</td><td>${formatPercent(start.estimate)}</td><td>${formatPercent(trained.estimate)}</td><td>${formatInterval(gain)}</td></tr>`,
  )}</tbody></table></div>`;
}
