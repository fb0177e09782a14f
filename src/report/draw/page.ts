/**
 * The whole page in one file: its style and script are inside, and its policy lets nothing else in. Must not read a run:
 * it draws what it is given.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, isAbsolute } from "node:path";
import type { PageData } from "../read/page-data.ts";
import { pagePlain } from "../read/page-text.ts";
import type { RunData } from "../read/run-data.ts";
import { episodesSection } from "./episodes.ts";
import { type Html, html, scriptJson } from "./html.ts";
import { curvesSection, timeSection, warningsSection } from "./progress.ts";
import { resultsSection } from "./results.ts";
import { settingsSection } from "./settings.ts";

/** Scripts of one page share their names, in this order. */
const SCRIPTS = [
  "curves.js",
  "turn.js",
  "episode-view.js",
  "episode-items.js",
  "episode-list.js",
  "episode-browser.js",
];
const STYLES = ["page.css", "tables.css", "figures.css", "episodes.css"];

export function renderPage(run: RunData, data: PageData, notes: readonly string[]): string {
  const style = STYLES.map(asset).join("\n");
  const script = `"use strict";(() => {\n${SCRIPTS.map(asset).join("\n")}})();`;
  const policy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'; base-uri 'none'; form-action 'none'`;
  const title = `${taskOf(run)} · ${run.name}`;
  const frame = { notes, hasGroups: data.groups.length > 0, hasFailures: data.failures.length > 0 };
  const parts = [
    { id: "results", name: "Results", part: resultsSection(run) },
    { id: "warnings", name: "Warnings", part: warningsSection(run) },
    { id: "curves", name: "Curves", part: curvesSection(run) },
    { id: "episodes", name: "Episodes", part: episodesSection(frame) },
    { id: "time", name: "Time", part: timeSection(run) },
    { id: "settings", name: "Settings", part: settingsSection(run) },
  ].filter(({ part }) => part !== undefined);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="${policy}" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<title>${title} · Mulligan</title>
<style>${raw(style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
${heading(run)}
<nav aria-label="Parts of the report"><ul>${parts.map(({ id, name }) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
<main id="main" tabindex="-1">${parts.map(({ part }) => part)}</main>
<script type="application/json" id="episodes-data">${raw(scriptJson(data))}</script>
<script>${raw(script)}</script>
</body>
</html>
`.markup;
}

function heading(run: RunData): Html {
  const { config, metrics, comparison } = run;
  const { model, seed, learnFrom, maxSteps } = config;
  const step = metrics.at(-1)?.step ?? 0;
  const facts: [string, string | number][] = [
    ["model", shown(isAbsolute(model) ? basename(model) : model)],
    ["learns from", shown(learnFrom)],
    ...(typeof config.reward === "string" && config.reward !== "verifier"
      ? [["reward", shown(config.reward)] as [string, string]]
      : []),
    ["seed", seed],
  ];
  return html`
<header>
  <p class="brand">mulligan</p>
  <h1><bdi>${taskOf(run)}</bdi> <span class="run"><bdi>${run.name}</bdi></span></h1>
  <p class="status ${comparison ? "done" : "open"}">${comparison ? `finished, ${step} steps` : `not finished: ${step} of ${maxSteps} steps`}</p>
  <dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>
</header>`;
}

function taskOf({ comparison, testStart, config }: RunData): string {
  return shown(comparison?.task ?? testStart?.task ?? basename(config.task));
}

/** Names are short; a text in their place is not shown to its end. */
const shown = (name: string) => pagePlain(name, 200);

/** Files of ours, and JSON that is made for its place. */
function raw(markup: string): Html {
  return { markup };
}

function asset(name: string): string {
  return readFileSync(new URL(`../page/${name}`, import.meta.url), "utf8");
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
