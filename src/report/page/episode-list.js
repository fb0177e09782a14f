/**
 * The lines of the list of episodes, of which one is chosen. A line is drawn when it is come to: thousands at once would
 * make every key slow.
 *
 * @typedef {object} Item one line
 * @property {number} step 0 on the test problems
 * @property {Verdict["kind"]} kind
 * @property {string} question
 * @property {string} where
 * @property {string[]} outcomes names of the outcomes that it falls under
 * @property {() => string} words everything that a search looks into
 * @property {(choose: (member: number) => void) => Children} view
 * @property {number} [first] place of the first item of its group
 */

const LINES = 200;

/**
 * @param {HTMLElement} list
 * @param {HTMLElement} more the button that draws further lines
 * @param {(place: number) => void} choose
 */
function createEpisodeList(list, more, choose) {
  /** @type {Item[]} */
  let items = [];
  let current = 0;
  const buttonAt = (/** @type {number} */ place) =>
    /** @type {HTMLElement | null | undefined} */ (list.children[place]?.firstElementChild);

  const draw = (/** @type {number} */ upTo) => {
    const drawn = list.children.length;
    const lines = items.slice(drawn, upTo).map((item, i) => {
      const button = lineOf(item);
      button.addEventListener("click", () => choose(drawn + i));
      return element("li", {}, button);
    });
    list.append(...lines);
    more.hidden = list.children.length >= items.length;
  };
  more.addEventListener("click", () => draw(list.children.length + LINES));

  return {
    current: () => current,
    show(/** @type {Item[]} */ shown) {
      items = shown;
      current = 0;
      list.replaceChildren();
      draw(LINES);
    },
    mark(/** @type {number} */ place, isFocused = false) {
      if (place >= list.children.length) draw(place + LINES);
      setChosen(buttonAt(current), false);
      current = place;
      const button = buttonAt(place);
      setChosen(button, true);
      if (!button) return;
      if (isFocused) button.focus({ preventScroll: true });
      scrollInto(/** @type {HTMLElement} */ (list.parentElement), button);
    },
  };
}

/** @param {Item} item */
function lineOf({ kind, question, where }) {
  return element(
    "button",
    { type: "button", tabindex: "-1", "aria-current": "false" },
    verdictMark(kind),
    element("span", { class: "what", dir: "auto" }, question.replaceAll(/\s+/g, " ").slice(0, 200)),
    element("span", { class: "where" }, where),
  );
}

/** One line of the list is in the order of tabs; arrow keys reach the others. */
function setChosen(/** @type {HTMLElement | null | undefined} */ button, /** @type {boolean} */ isChosen) {
  button?.setAttribute("aria-current", String(isChosen));
  button?.setAttribute("tabindex", isChosen ? "0" : "-1");
}

/** Moves the list only: the page stays where the reader is. */
function scrollInto(/** @type {HTMLElement} */ frame, /** @type {HTMLElement} */ button) {
  const [inner, outer] = [button.getBoundingClientRect(), frame.getBoundingClientRect()];
  if (inner.top < outer.top) frame.scrollTop -= outer.top - inner.top;
  if (inner.bottom > outer.bottom) frame.scrollTop += inner.bottom - outer.bottom;
}
