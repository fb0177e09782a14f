/** Commands as a person can paste them into a shell. */

/** Quoted where a shell would read it otherwise. */
export function shellWord(text: string): string {
  return /^[\w./@:~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
