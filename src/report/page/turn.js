/**
 * A text of an episode as elements, token by token where that is known. Every text from models and data is set as text,
 * never as markup.
 *
 * @typedef {import("../read/page-data.ts").PageText} PageText
 * @typedef {import("../../core/task.ts").Verdict} Verdict
 * @typedef {(HTMLElement | string | false | undefined)[]} Children
 */

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {Children} children
 */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== false && child !== undefined));
  return node;
}

/** @param {Verdict["kind"]} kind */
function markOf(kind) {
  return { solved: "✓", failed: "✗", unscored: "?" }[kind];
}

/** @param {Verdict["kind"]} kind */
function verdictMark(kind) {
  return element("span", { class: `mark ${kind}`, role: "img", "aria-label": kind }, markOf(kind));
}

/** @param {Verdict} verdict */
function verdictBadge({ kind }) {
  return element("span", { class: `badge ${kind}` }, `${markOf(kind)} ${kind}`);
}

/** @param {Verdict} verdict */
function feedbackOf(verdict) {
  const said =
    verdict.kind === "failed" ? verdict.feedback : verdict.kind === "unscored" ? verdict.cause : "";
  return said !== "" && element("p", { class: "feedback", dir: "auto" }, said);
}

/** @param {number | null | undefined} advantage */
function describeAdvantage(advantage) {
  if (advantage === undefined) return "";
  if (advantage === null) return "took no part in learning";
  const sign = advantage > 0 ? "▲ +" : advantage < 0 ? "▼ " : "";
  return `advantage ${sign}${advantage.toFixed(2)}`;
}

/** @param {PageText} text */
function plainText({ text, pieces = [] }) {
  return text ?? pieces.join("");
}

/**
 * A text with what is known about it. Learnt tokens are marked by the sign and size of their advantage.
 *
 * @param {string} title
 * @param {PageText} text
 * @param {{ verdict?: Verdict, advantage?: number | null, leaks?: boolean }} [facts]
 */
function turn(title, text, { verdict, advantage, leaks } = {}) {
  const learnt = describeAdvantage(advantage);
  return element(
    "section",
    { class: "turn" },
    element(
      "h4",
      {},
      title,
      verdict && verdictBadge(verdict),
      leaks === true && element("span", { class: "badge warn" }, "holds a solution"),
      text.truncated === true && element("span", { class: "badge warn" }, "cut at its limit"),
      learnt !== "" && element("span", {}, learnt),
      element("span", {}, `${text.tokens} ${text.tokens === 1 ? "token" : "tokens"}`),
    ),
    text.pieces ? tokenStrip(title, text, advantage) : textBlock(plainText(text)),
    text.omitted !== undefined &&
      element("p", { class: "feedback" }, `${text.omitted} more characters left out`),
    verdict && feedbackOf(verdict),
  );
}

/** @param {string} text */
function textBlock(text) {
  if (text.trim() === "") return element("div", { class: "text nothing" }, "(nothing)");
  return element("div", { class: "text", dir: "auto" }, text);
}

/**
 * Tokens one by one. Under the pointer, or by arrow keys, each tells its log-probability.
 *
 * @param {string} title
 * @param {PageText} text
 * @param {number | null | undefined} advantage
 */
function tokenStrip(title, { pieces = [], logprobs = [] }, advantage) {
  if (pieces.length === 0) return textBlock("");
  const colour = tokenClass(advantage);
  const tokens = pieces.map((piece, t) => {
    const isControl = /^<[^\s>]+>$/.test(piece);
    const shown = piece === "\n" ? "↵\n" : piece;
    return element(
      "span",
      { class: `token ${colour}${isControl ? " control" : ""}`, "data-t": String(t) },
      shown,
    );
  });
  const readout = element("p", { class: "token-readout", "aria-live": "polite" });
  const strip = element(
    "div",
    { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": `${title}, token by token` },
    ...tokens,
  );
  let current = -1;
  const read = (/** @type {number} */ t) => {
    tokens[current]?.classList.remove("read");
    current = t;
    tokens[t]?.classList.add("read");
    const logprob = logprobs[t];
    readout.textContent =
      t < 0 || logprob === undefined
        ? "Choose a token for its log-probability."
        : `${JSON.stringify(pieces[t])} · log-probability ${logprob.toFixed(3)} (${percent(Math.exp(logprob))})`;
  };
  read(-1);
  strip.addEventListener("pointerover", (event) => {
    const t = /** @type {HTMLElement} */ (event.target).dataset.t;
    if (t !== undefined) read(Number(t));
  });
  strip.addEventListener("pointerleave", () => read(-1));
  strip.addEventListener("blur", () => read(-1));
  strip.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    read(Math.min(tokens.length - 1, Math.max(0, current + move)));
  });
  return element("div", {}, strip, readout);
}

/** @param {number | null | undefined} advantage */
function tokenClass(advantage) {
  if (!advantage) return "";
  const size = Math.abs(advantage);
  const strength = size < 0.5 ? 1 : size < 1.25 ? 2 : 3;
  return `${advantage > 0 ? "plus" : "minus"} strong${strength}`;
}

/** @param {number} share */
function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 2 : 1)} %`;
}
