/** Which split a file belongs to by its name alone, as Python's `datasets` tells it where a card says nothing. */

const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "dev", "val"],
  test: ["test", "testing", "eval", "evaluation"],
};

/** Paths by split, by the first rule that finds any: numbered files in data/, names of folders, names of files. */
export function splitsByName(paths: readonly string[]): Map<string, string[]> {
  const numbered = grouped(paths, (path) => /^data\/(\w[\w.-]*?)-\d{5}-of-\d{5,}\.[^/]*$/.exec(path)?.[1]);
  if (numbered.size > 0) return numbered;
  const byFolder = grouped(paths, (path) => splitNamed(path.slice(0, path.lastIndexOf("/") + 1)));
  if (byFolder.size > 0) return byFolder;
  const byFile = grouped(paths, (path) => splitNamed(path.slice(path.lastIndexOf("/") + 1)));
  return byFile.size > 0 ? byFile : new Map([["train", [...paths]]]);
}

/** The split whose keyword stands in a text by itself, between digits, spaces and the characters - . _ and /. */
function splitNamed(text: string): string | undefined {
  const words = text.split(/[-._ 0-9/]+/);
  return Object.keys(KEYWORDS).find((split) => KEYWORDS[split]!.some((word) => words.includes(word)));
}

function grouped(
  paths: readonly string[],
  keyOf: (path: string) => string | undefined,
): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const path of paths) {
    const key = keyOf(path);
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), path]);
  }
  return groups;
}
