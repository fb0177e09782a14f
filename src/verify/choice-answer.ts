/** Reads the letter of a multiple-choice answer out of its final form. What names no single choice is no answer. */

/** "B", "(b)", "\text{B}" or "B. Paris" with the choice's own words; the index of the choice, or undefined. */
export function choiceFrom(answer: string, choices: readonly string[]): number | undefined {
  if (answer.length > 2000) return undefined;
  const text = answer.replaceAll(/\\(?:text|mathrm|textbf|mathbf|mbox)\s?\{([^{}]*)\}/g, "$1").trim();
  const [, letter = "", words = ""] = /^\(?([A-Za-z])(?:\)?\.?|[.):]\s(.*))$/s.exec(text) ?? [];
  const index = letter.toUpperCase().charCodeAt(0) - "A".charCodeAt(0);
  if (!(index < choices.length)) return undefined;
  return words === "" || words.trim() === choices[index]!.trim() ? index : undefined;
}

/** "A" for 0. */
export function letterOf(index: number): string {
  return String.fromCharCode("A".charCodeAt(0) + index);
}
