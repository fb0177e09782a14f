/** The frame of the browser of episodes; the page's script fills it. Without a script it says so. */
import { type Html, html } from "./html.ts";

export interface EpisodesFrame {
  /** What is shown and what was left out, in sentences. */
  notes: readonly string[];
  hasGroups: boolean;
  hasFailures: boolean;
}

export function episodesSection({ notes, hasGroups, hasFailures }: EpisodesFrame): Html {
  const isEmpty = !hasGroups && !hasFailures;
  return html`
<section id="episodes" aria-labelledby="episodes-title">
  <h2 id="episodes-title">Episodes</h2>
  ${notes.map((note) => html`<p class="note">${note}</p>`)}
  ${!isEmpty && browser(hasGroups, hasFailures)}
</section>`;
}

function browser(hasGroups: boolean, hasFailures: boolean): Html {
  return html`
  <noscript><p>To browse episodes this page needs its script; <code>mulligan inspect</code> shows them in a terminal.</p></noscript>
  <div class="browser" id="browser" hidden>
    <form class="filters" id="filters" aria-label="Filter of episodes">
      <label>From <select id="source">
        ${hasGroups && html`<option value="training">training</option>`}
        ${hasFailures && html`<option value="test">test problems, before and after</option>`}
      </select></label>
      <label id="step-label">Step <select id="step"></select></label>
      <label>Outcome <select id="outcome"></select></label>
      <label class="grow">Search <input id="query" type="search" autocomplete="off" spellcheck="false" /></label>
    </form>
    <p class="note"><span id="count" role="status"></span> <span class="keys"><kbd>j</kbd> <kbd>k</kbd> next, previous · <kbd>/</kbd> search · <kbd>←</kbd> <kbd>→</kbd> on a text: token by token</span></p>
    <div class="panes">
      <div class="list"><ol id="list" aria-label="Episodes"></ol><button type="button" id="more" hidden>Show more</button></div>
      <article id="detail" aria-label="Episode" tabindex="-1"></article>
    </div>
  </div>`;
}
