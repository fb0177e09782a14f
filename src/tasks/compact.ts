/**
 * The wording that the shipped miniature knows: no system message, few tokens. It is trained on exactly these
 * characters; changing one means training it anew.
 */

export const COMPACT_REFLECTION = "wrong. reflect";

/** The control: the same turn without asking for a reflection. */
export function compactRetry(question: string): string {
  return `wrong. again\n${question}`;
}

/** How every answer of the miniature is written. */
export function compactAnswer(answer: string): string {
  return `<answer>${answer}</answer>`;
}
