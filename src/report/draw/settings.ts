/** What a run was given and where it ran, as two lists. Knows no setting by name. */

import { pagePlain } from "../read/page-text.ts";
import type { RunData } from "../read/run-data.ts";
import { type Html, html } from "./html.ts";

/** Longer ones are in the file. */
const MOST_CHARACTERS = 300;
const MOST_ROWS = 300;

export function settingsSection({ config, environment }: RunData): Html {
  return html`
<section id="settings" aria-labelledby="settings-title">
  <h2 id="settings-title">Settings</h2>
  <div class="pair">
    <div><h3>config.json</h3>${list(config, "Settings")}</div>
    ${environment && html`<div><h3>environment.json</h3>${list(environment, "Environment")}</div>`}
  </div>
</section>`;
}

function list(values: Record<string, unknown>, title: string): Html {
  const rows = flatten(values);
  const rest = rows.length - MOST_ROWS;
  return html`<table class="settings"><caption class="hidden">${title}</caption>
<thead class="hidden"><tr><th scope="col">name</th><th scope="col">value</th></tr></thead>
<tbody>${rows.slice(0, MOST_ROWS).map(([name, value]) => html`<tr><th scope="row">${name}</th><td><bdi>${value}</bdi></td></tr>`)}</tbody></table>
${rest > 0 && html`<p class="note">${rest} more in the file.</p>`}`;
}

/** By dotted path, items of lists counted from 1; lists of plain values and empty ones as JSON. */
function flatten(values: Record<string, unknown>, prefix = ""): [name: string, value: string][] {
  return Object.entries(values).flatMap(([key, value]): [string, string][] => {
    const inner = partsOf(value);
    if (inner) return flatten(inner, `${prefix}${key}.`);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return [[pagePlain(prefix + key, MOST_CHARACTERS), pagePlain(text, MOST_CHARACTERS)]];
  });
}

function partsOf(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Object.keys(value).length === 0) return undefined;
  if (!Array.isArray(value)) return value as Record<string, unknown>;
  const isPlain = value.every((item) => typeof item !== "object" || item === null);
  return isPlain ? undefined : Object.fromEntries(value.map((item, i) => [i + 1, item]));
}
