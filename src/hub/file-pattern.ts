/** Patterns of file paths as data sets use them: `*` is any part of a name, `**` any folders. Linear in the path, whoever wrote them. */

/** Names that begin with a dot are matched only by patterns that do. */
export function fitsPattern(path: string, pattern: string): boolean {
  const names = path.split("/");
  // how many of the names the patterns so far may take up
  let taken = new Set([0]);
  for (const part of pattern.split("/")) {
    const next = new Set<number>();
    for (const count of taken) {
      if (part === "**") addFolders(names, count, next);
      else if (count < names.length && fitsName(names[count]!, part)) next.add(count + 1);
    }
    taken = next;
  }
  return taken.has(names.length);
}

/** Stops at what is there: all that it could lead to is there as well. */
function addFolders(names: readonly string[], from: number, counts: Set<number>): void {
  for (let at = from; !counts.has(at); at++) {
    counts.add(at);
    if (at === names.length || names[at]!.startsWith(".")) return;
  }
}

function fitsName(name: string, pattern: string): boolean {
  if (name.startsWith(".") && !pattern.startsWith(".")) return false;
  const [first, ...rest] = pattern.split("*") as [string, ...string[]];
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return at <= name.length - last.length;
}
