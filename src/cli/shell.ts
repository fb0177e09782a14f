/** Commands that a person is told to run. */

/** A text as one word of a shell, quoted where it must be. */
export function shellWord(text: string): string {
  return /^[\w./@:~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
