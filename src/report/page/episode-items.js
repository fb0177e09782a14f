/**
 * Episodes as lines of the list: by what a reader may filter, search and sort them out.
 *
 * @typedef {import("../read/page-data.ts").PageData} PageData
 */

/** Names of outcomes with their words. @type {Record<string, [name: string, words: string][]>} */
const OUTCOMES = {
  training: [
    ["", "any"],
    ["solved", "rescued"],
    ["failed", "not rescued"],
    ["unscored", "unscored"],
    ["leak", "reflection holds a solution"],
    ["truncated", "cut at a limit"],
    ["dead", "of a dead group"],
  ],
  attempts: [
    ["", "any"],
    ["solved", "solved"],
    ["failed", "not solved"],
    ["unscored", "unscored"],
    ["truncated", "cut at its limit"],
    ["dead", "of a dead group"],
  ],
  test: [
    ["", "any"],
    ["won", "rescued only after training"],
    ["lost", "rescued only before training"],
    ["both", "rescued"],
    ["neither", "not rescued"],
    ["leak", "a reflection holds a solution"],
    ["truncated", "cut at a limit"],
  ],
};

/** @param {PageData["groups"]} groups @returns {Item[]} */
function trainingItems(groups) {
  /** @type {Item[]} */
  const items = [];
  for (const group of groups) {
    const first = items.length;
    const members = group.kind === "reflections" ? group.episodes : group.attempts;
    for (const member of members.keys()) items.push(trainingItem(group, member, first));
  }
  return items;
}

/**
 * @param {PageData["groups"][number]} group
 * @param {number} member
 * @param {number} first
 * @returns {Item}
 */
function trainingItem(group, member, first) {
  const { reflection, retries, advantage, leaks } = partsOf(group, member);
  const texts = reflection
    ? [reflection, ...retries.map(({ retry }) => retry)]
    : retries.map(({ retry }) => retry);
  const kinds = retries.map(({ verdict }) => verdict.kind);
  const kind = kinds.includes("solved") ? "solved" : kinds.includes("failed") ? "failed" : "unscored";
  const attempt = group.kind === "reflections" ? [plainText(group.attempt)] : [];
  return {
    step: group.step,
    kind,
    question: group.question,
    where: `step ${group.step} · ${member + 1}${signed(advantage)}`,
    outcomes: namesOf({
      [kind]: true,
      leak: leaks === true,
      truncated: texts.some(({ truncated }) => truncated),
      dead: group.state !== "live",
    }),
    words: () => [group.id, group.question, ...attempt, ...texts.map(plainText)].join("\n"),
    view: (choose) =>
      group.kind === "reflections"
        ? reflectionsView(group, member, choose)
        : attemptsView(group, member, choose),
    first,
  };
}

/**
 * An attempt is its own try: the one verdict that counts, as a retry's is.
 *
 * @param {PageData["groups"][number]} group
 * @param {number} member
 * @returns {{ reflection?: PageText, retries: PageRetry[], advantage: number | null | undefined, leaks?: boolean }}
 */
function partsOf(group, member) {
  if (group.kind === "attempts") {
    const attempt = /** @type {PageRetry} */ (group.attempts[member]);
    return { retries: [attempt], advantage: attempt.advantage };
  }
  const episode = /** @type {PageReflections["episodes"][number]} */ (group.episodes[member]);
  return { ...episode, advantage: episode.advantage ?? episode.retries[0]?.advantage };
}

/** @param {PageData["failures"]} failures @returns {Item[]} */
function testItems(failures) {
  return failures.map((failure) => {
    const { start, trained, question, attempt, id } = failure;
    const sides = trained ? [start, trained] : [start];
    const isSolved = sides.map(({ verdict }) => verdict.kind === "solved");
    const change = isSolved[0] ? (isSolved[1] === false ? "lost" : "both") : isSolved[1] ? "won" : "neither";
    const texts = [attempt, ...sides.flatMap(({ reflection, retry }) => [reflection, retry])];
    return {
      step: 0,
      kind: (trained ?? start).verdict.kind,
      question,
      where: sides.map(({ verdict }) => markOf(verdict.kind)).join(" → "),
      outcomes: namesOf({
        [change]: true,
        leak: sides.some(({ leaks }) => leaks === true),
        truncated: texts.some(({ truncated }) => truncated),
      }),
      words: () => [id, question, ...texts.map(plainText)].join("\n"),
      view: () => failureView(failure),
    };
  });
}

/** @param {Record<string, boolean>} holds */
function namesOf(holds) {
  return Object.keys(holds).filter((name) => holds[name]);
}

/** @param {number | null | undefined} advantage */
function signed(advantage) {
  if (typeof advantage !== "number") return "";
  return ` · ${advantage > 0 ? "+" : ""}${advantage.toFixed(2)}`;
}
