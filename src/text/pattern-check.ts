/**
 * Regular expressions of a tokenizer.json run on every text, in an engine that goes back and tries again: some take longer
 * than anybody waits. Refused is what may try more and more ways with the text's length or with its own: repeated groups
 * that match in several ways, long rows of repetitions, of optional pieces and of alternatives. What is left grows as a power
 * of the text's length; references to groups are not looked into.
 */

/** Longest source; the longest known has 5,000 characters (a list of words). */
const MAX_PATTERN = 2 ** 16;
/** Repetitions in one alternative: the power by which time may grow. Published patterns have two. */
const MAX_REPEATS = 4;

/** Ways through the optional pieces and inner alternatives of one alternative. Of the known patterns GPT-4o's has most, 28. */
const MAX_WAYS = 4096;

interface Group {
  /** Repetitions in the alternative that is being read, those of its groups included, and most of the earlier ones. */
  repeats: number;
  most: number;
  /** Ways through the alternative that is being read, and through all earlier ones. */
  ways: number;
  earlierWays: number;
  /** May it match texts in several ways or lengths? */
  varies: boolean;
}

/** A quantifier at this place; `{3}` repeats, but in one way only. */
const QUANTIFIER = /[*+?]|\{(\d*)(?:(,)(\d*))?\}/y;

const TOO_MANY_WAYS = `has more than ${MAX_WAYS} ways through its optional pieces and alternatives`;

/** What is wrong with a pattern, as the end of "it …"; undefined when nothing. */
export function faultOfPattern(pattern: string): string | undefined {
  if (pattern.length > MAX_PATTERN) return `has ${pattern.length} characters, more than ${MAX_PATTERN}`;
  const open: Group[] = [newGroup()];
  let closed: Group | undefined; // the group that ended just before
  for (let i = 0; i < pattern.length; i++) {
    const group = open.at(-1)!;
    const quantifier = quantifierAt(pattern, i);
    if (quantifier) {
      if (quantifier.repeats && closed?.varies) return "repeats a group that can match in several ways";
      group.varies ||= quantifier.varies;
      if (quantifier.repeats && ++group.repeats > MAX_REPEATS) {
        return `has more than ${MAX_REPEATS} repetitions one after the other`;
      }
      if (!quantifier.repeats) group.ways *= 2;
      if (group.ways > MAX_WAYS) return TOO_MANY_WAYS;
      i += quantifier.length - 1;
      continue;
    }
    closed = undefined;
    const character = pattern[i];
    if (character === "\\") i++;
    else if (character === "[") i = endOfClass(pattern, i);
    else if (character === "(") {
      open.push(newGroup());
      if (pattern[i + 1] === "?") i++; // of (?: and the like, no quantifier
    } else if (character === "|") {
      const { ways, earlierWays } = group;
      Object.assign(group, { varies: true, most: Math.max(group.most, group.repeats), repeats: 0 });
      Object.assign(group, { earlierWays: earlierWays + ways, ways: 1 });
    } else if (character === ")" && open.length > 1) {
      closed = open.pop()!;
      const outer = open.at(-1)!;
      outer.repeats += Math.max(closed.most, closed.repeats);
      outer.varies ||= closed.varies;
      outer.ways *= closed.earlierWays + closed.ways;
      if (outer.ways > MAX_WAYS) return TOO_MANY_WAYS;
      if (outer.repeats > MAX_REPEATS) return `has more than ${MAX_REPEATS} repetitions one after the other`;
    }
  }
  return undefined;
}

/** Longest pattern that is surely quick where it has one way through each alternative. Arbitrary. */
const SHORT_PATTERN = 2 ** 12;

/**
 * May it take long? Not where it is short and has neither quantifiers nor groups: then no character is looked at more often
 * than the pattern is long.
 */
export function mayBeSlow(pattern: string): boolean {
  if (pattern.length > SHORT_PATTERN) return true;
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === "(" || quantifierAt(pattern, i)) return true;
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "[") i = endOfClass(pattern, i);
    if (i >= pattern.length) return true; // a class that does not end hides what follows
  }
  return false;
}

const newGroup = (): Group => ({ repeats: 0, most: 0, ways: 1, earlierWays: 0, varies: false });

function quantifierAt(pattern: string, at: number) {
  QUANTIFIER.lastIndex = at;
  const found = QUANTIFIER.exec(pattern);
  if (!found || (found[0].startsWith("{") && !found[1] && !found[3])) return undefined;
  const [text, least, comma, most] = found;
  const isExact = text.startsWith("{") && (!comma || least === most);
  return { length: text.length, varies: !isExact, repeats: text !== "?" };
}

/** Where a character class ends; Oniguruma's may hold others. */
function endOfClass(pattern: string, start: number): number {
  let depth = 0;
  for (let i = start; i < pattern.length; i++) {
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "[") depth++;
    else if (pattern[i] === "]" && i > start + 1 && --depth === 0) return i;
  }
  return pattern.length;
}
