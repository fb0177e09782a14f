/** What a run was given and where it ran, as two lists. Knows no setting by name. */
import { type Html, html } from "../html.ts";
import { pagePlain } from "../page-text.ts";
import type { RunData } from "../run-data.ts";

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

/** By dotted path; lists and empty objects as JSON. */
function flatten(values: Record<string, unknown>, prefix = ""): [name: string, value: string][] {
  return Object.entries(values).flatMap(([key, value]): [string, string][] => {
    const name = pagePlain(prefix + key, MOST_CHARACTERS);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isObject && Object.keys(value).length > 0) {
      return flatten(value as Record<string, unknown>, `${prefix}${key}.`);
    }
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return [[name, pagePlain(text, MOST_CHARACTERS)]];
  });
}
