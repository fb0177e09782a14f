/** The browser of episodes: what is filtered and chosen, by pointer and by keyboard. */

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const selectById = (/** @type {string} */ id) => /** @type {HTMLSelectElement} */ (byId(id));

/**
 * Does an item fit what was chosen? "" = any.
 * @param {Item} item
 * @param {{ step: string, outcome: string, words: string }} wanted
 */
function isWanted(item, { step, outcome, words }) {
  return (
    (step === "" || item.step === Number(step)) &&
    (outcome === "" || item.outcomes.includes(outcome)) &&
    (words === "" || item.words().toLowerCase().includes(words))
  );
}

/** @param {PageData} data */
function startBrowser({ groups, failures }) {
  const all = { training: trainingItems(groups), test: testItems(failures) };
  const [source, step, outcome] = [selectById("source"), selectById("step"), selectById("outcome")];
  const query = /** @type {HTMLInputElement} */ (byId("query"));
  const itemsOfSource = () => all[/** @type {"training" | "test"} */ (source.value)];
  /** @type {Item[]} */
  let shown = [];
  const list = createEpisodeList(byId("list"), byId("more"), (place) => choose(place));

  const choose = (/** @type {number} */ place, isFocused = false) => {
    const item = shown[place];
    if (item) list.mark(place, isFocused);
    view(item);
  };
  const view = (/** @type {Item | undefined} */ item) => {
    const parts = item?.view((member) => chooseMember(item, member)) ?? [
      element("p", { class: "note" }, "No episode is like this. Choose other filters."),
    ];
    byId("detail").replaceChildren(...parts.filter((part) => part !== false && part !== undefined));
  };
  // filters may hide other members of the group: the view shows them all the same
  const chooseMember = (/** @type {Item} */ { first = 0 }, /** @type {number} */ member) => {
    const other = itemsOfSource()[first + member];
    const place = other ? shown.indexOf(other) : -1;
    if (place === -1) view(other);
    else choose(place);
    /** @type {HTMLElement | null} */ (
      byId("detail").querySelector('.siblings [aria-current="true"]')
    )?.focus();
  };

  const filter = () => {
    const wanted = { step: step.value, outcome: outcome.value, words: query.value.toLowerCase() };
    shown = itemsOfSource().filter((item) => isWanted(item, wanted));
    byId("count").textContent = `${grouped(shown.length)} of ${grouped(itemsOfSource().length)} episodes.`;
    list.show(shown);
    choose(0);
  };
  const offer = () => {
    const items = itemsOfSource();
    byId("step-label").hidden = source.value === "test";
    step.replaceChildren(...stepOptions(items));
    const isAttempts = source.value === "training" && groups[0]?.kind === "attempts";
    outcome.replaceChildren(...outcomeOptions(items, OUTCOMES[isAttempts ? "attempts" : source.value] ?? []));
    filter();
  };

  source.addEventListener("change", offer);
  for (const control of [step, outcome]) control.addEventListener("change", filter);
  query.addEventListener("input", filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  onKeys({
    search: () => query.focus(),
    move: (by, isInList) => choose(Math.min(shown.length - 1, Math.max(0, list.current() + by)), isInList),
  });
  byId("browser").hidden = false;
  offer();
}

/** 5,120. @param {number} count */
function grouped(count) {
  return count.toLocaleString("en-US");
}

/** @param {Item[]} items */
function stepOptions(items) {
  const steps = [...new Set(items.map(({ step }) => String(step)))];
  return [
    element("option", { value: "" }, "all"),
    ...steps.map((step) => element("option", { value: step }, step)),
  ];
}

/** Those that there are, with how many. @param {Item[]} items @param {[name: string, words: string][]} names */
function outcomeOptions(items, names) {
  return names.flatMap(([name, words]) => {
    const count = name === "" ? items.length : items.filter(({ outcomes }) => outcomes.includes(name)).length;
    return count > 0 ? [element("option", { value: name }, `${words} (${grouped(count)})`)] : [];
  });
}

/**
 * j and k anywhere but in a field, arrows in the list, / to search.
 *
 * @param {{ search(): void, move(by: number, isInList: boolean): void }} actions
 */
function onKeys({ search, move }) {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea")) return;
    const isInList = byId("list").contains(target);
    const by = { j: 1, k: -1, ...(isInList && { ArrowDown: 1, ArrowUp: -1 }) }[event.key];
    if (event.key === "/") search();
    else if (by !== undefined) move(by, isInList);
    else return;
    event.preventDefault();
  });
}

if (document.getElementById("browser")) startBrowser(JSON.parse(byId("episodes-data").textContent ?? ""));
