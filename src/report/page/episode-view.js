/**
 * One episode as elements, by what it is made of. Knows nothing of lists and filters.
 *
 * @typedef {import("../read/page-data.ts").PageRetry} PageRetry
 * @typedef {import("../read/page-data.ts").PageReflections} PageReflections
 * @typedef {import("../read/page-data.ts").PageAttempts} PageAttempts
 * @typedef {import("../read/page-data.ts").PageFailure} PageFailure
 * @typedef {import("../read/page-data.ts").PageOutcome} PageOutcome
 */

const STATES = {
  live: "live group",
  all_failed: "dead group: all failed",
  all_passed: "dead group: all solved",
  tied: "dead group: rewards tied",
  unscored: "dead group: too few verdicts",
};

/**
 * @param {PageReflections} group
 * @param {number} member
 * @param {(member: number) => void} choose another episode of the group
 */
function reflectionsView(group, member, choose) {
  const episode = /** @type {PageReflections["episodes"][number]} */ (group.episodes[member]);
  const { reflection, retries, advantage, leaks } = episode;
  const solved = group.episodes.filter(({ reward }) => reward !== null && reward > 0).length;
  return [
    element("h3", {}, `Step ${group.step}, failure `, element("bdi", {}, group.id)),
    element(
      "p",
      { class: "note" },
      `${STATES[group.state]}: ${solved} of ${group.episodes.length} reflections rescued the attempt`,
    ),
    taskTurn(group.question),
    turn("Attempt", group.attempt, { verdict: group.verdict }),
    turn("Reflection", reflection, {
      ...(advantage !== undefined && { advantage }),
      ...(leaks !== undefined && { leaks }),
    }),
    ...retries.map((retry, i) => retryTurn(retries.length > 1 ? `Retry ${i + 1}` : "Retry", retry)),
    siblings(
      "The group",
      group.episodes.map(({ reward, advantage: own, retries: [first] }) => ({
        kind: reward === null ? "unscored" : reward > 0 ? "solved" : "failed",
        advantage: own ?? first?.advantage,
      })),
      member,
      choose,
    ),
  ];
}

/**
 * @param {PageAttempts} group
 * @param {number} member
 * @param {(member: number) => void} choose
 */
function attemptsView(group, member, choose) {
  const attempt = /** @type {PageRetry} */ (group.attempts[member]);
  const solved = group.attempts.filter(({ verdict }) => verdict.kind === "solved").length;
  return [
    element("h3", {}, `Step ${group.step}, problem `, element("bdi", {}, group.id)),
    element(
      "p",
      { class: "note" },
      `${STATES[group.state]}: ${solved} of ${group.attempts.length} attempts solved`,
    ),
    taskTurn(group.question),
    retryTurn("Attempt", attempt),
    siblings(
      "The group",
      group.attempts.map(({ verdict: { kind }, advantage }) => ({ kind, advantage })),
      member,
      choose,
    ),
  ];
}

/** @param {PageFailure} failure */
function failureView({ id, question, attempt, verdict, start, trained }) {
  return [
    element("h3", {}, "Test failure ", element("bdi", {}, id)),
    taskTurn(question),
    turn("Attempt of the starting model", attempt, { verdict }),
    element(
      "div",
      { class: "sides" },
      outcomeSide("Before training", start),
      trained && outcomeSide("After training", trained),
    ),
  ];
}

/**
 * @param {string} title
 * @param {PageOutcome} outcome
 */
function outcomeSide(title, { reflection, retry, verdict, leaks }) {
  return element(
    "div",
    { class: "side" },
    element("h4", {}, title),
    turn("Reflection", reflection, leaks === undefined ? {} : { leaks }),
    turn("Retry", retry, { verdict }),
  );
}

/** @param {string} question */
function taskTurn(question) {
  return element("section", { class: "turn" }, element("h4", {}, "Task"), textBlock(question));
}

/**
 * @param {string} title
 * @param {PageRetry} retry
 */
function retryTurn(title, { retry, verdict, advantage }) {
  return turn(title, retry, { verdict, ...(advantage !== undefined && { advantage }) });
}

/**
 * @param {string} title
 * @param {{ kind: Verdict["kind"], advantage: number | null | undefined }[]} members
 * @param {number} current
 * @param {(member: number) => void} choose
 */
function siblings(title, members, current, choose) {
  const buttons = members.map(({ kind, advantage }, i) => {
    const learnt = typeof advantage === "number" ? ` ${advantage > 0 ? "+" : ""}${advantage.toFixed(2)}` : "";
    const button = element(
      "button",
      { type: "button", "aria-current": String(i === current) },
      `${i + 1} `,
      verdictMark(kind),
      learnt,
    );
    button.addEventListener("click", () => choose(i));
    return element("li", {}, button);
  });
  return element(
    "section",
    { class: "turn" },
    element("h4", {}, title),
    element("ol", { class: "siblings" }, ...buttons),
  );
}
