/**
 * Exhaustive search of Countdown: every tree over every order of the numbers, each used exactly once, in exact small
 * fractions. Equations that differ only by commuting, regrouping or swapping signs are the same equation.
 */
import { MulliganError } from "../../core/errors.ts";

export type Operators = "+-*" | "+-*/";

export interface EnumerateOptions {
  /** Default: all four. */
  operators?: Operators;
}

/** n / d in lowest terms, d > 0, both within 2^53. */
interface Fraction {
  n: number;
  d: number;
}

/** An n-ary sum or product: regrouped equations have the same parts, hence the same text. */
interface Term extends Fraction {
  kind: "number" | "sum" | "product";
  /** Added or multiplied. A number or a term of another kind is its own only part. */
  plus: readonly Term[];
  /** Subtracted or divided by. */
  minus: readonly Term[];
}

/** All equations that make the target, shortest first; empty when there is none. */
export function solutions(nums: readonly number[], target: number, options: EnumerateOptions = {}): string[] {
  const terms = nums.map(numberTerm);
  const divide = prepare(nums, options);
  const found = new Set<string>();
  const visit = (rest: readonly Term[]) => {
    if (rest.length === 1) {
      if (isWhole(rest[0]!, target)) found.add(write(rest[0]!));
      return;
    }
    for (let i = 0; i < rest.length; i++) {
      for (let j = i + 1; j < rest.length; j++) {
        const others = rest.filter((_, k) => k !== i && k !== j);
        for (const operation of operations(rest[i]!, rest[j]!, divide)) {
          // the last operation is the commonest by far: look at its value before building its term
          if (others.length > 0 || isWhole(valueFrom(operation), target)) visit([...others, join(operation)]);
        }
      }
    }
  };
  if (target >= 0 && terms.length > 0) visit(terms);
  return [...found].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
}

/** Can the target be made? Quicker than `solutions`: equal values count once. */
export function isSolvable(nums: readonly number[], target: number, options: EnumerateOptions = {}): boolean {
  return reachableTargets(nums, options).has(target);
}

/** Every whole number from 0 up that the numbers can make. */
export function reachableTargets(nums: readonly number[], options: EnumerateOptions = {}): Set<number> {
  const divide = prepare(nums, options);
  const everything = 2 ** nums.length - 1;
  // values by subset of the numbers, as a bit mask: a value reached twice goes on once
  const values: Map<string | number, Fraction>[] = [new Map()];
  for (let mask = 1; mask <= everything; mask++) {
    const reached = new Map<string | number, Fraction>();
    const put = (value: Fraction) => reached.set(value.d === 1 ? value.n : `${value.n}/${value.d}`, value);
    if ((mask & (mask - 1)) === 0) put({ n: nums[Math.log2(mask)]!, d: 1 });
    for (let left = (mask - 1) & mask; left > mask - left; left = (left - 1) & mask) {
      for (const a of values[left]!.values()) {
        for (const b of values[mask - left]!.values()) {
          for (const operation of operations(a, b, divide)) put(valueFrom(operation));
        }
      }
    }
    values.push(reached);
  }
  return new Set([...values[everything]!.values()].flatMap(({ n, d }) => (d === 1 ? [n] : [])));
}

/** Checks the numbers and says whether division is allowed. */
function prepare(nums: readonly number[], { operators = "+-*/" }: EnumerateOptions): boolean {
  // an unreduced part of a fraction over k numbers is below (2 · largest)^k
  const bound = (2 * Math.max(1, ...nums)) ** nums.length;
  if (!nums.every((n) => Number.isSafeInteger(n) && n >= 0) || bound > Number.MAX_SAFE_INTEGER) {
    throw new MulliganError("task", `countdown: numbers must be whole, from 0 up and few, got [${nums}]`, {
      hint: "exact search takes up to 5 numbers up to 500, or 4 up to 4,000",
    });
  }
  return operators.includes("/");
}

/** a + b or a * b; a - b or a / b when `inverse`. */
interface Operation<T extends Fraction> {
  kind: "sum" | "product";
  a: T;
  b: T;
  inverse: boolean;
}

/**
 * What can be done with two values. Differences are taken as larger minus smaller: negative intermediate values reach
 * no target from 0 up that this does not (flip the signs and the operations that join them).
 */
function operations<T extends Fraction>(a: T, b: T, divide: boolean): Operation<T>[] {
  const found: Operation<T>[] = [
    { kind: "sum", a, b, inverse: false },
    a.n * b.d >= b.n * a.d
      ? { kind: "sum", a, b, inverse: true }
      : { kind: "sum", a: b, b: a, inverse: true },
    { kind: "product", a, b, inverse: false },
  ];
  if (divide && b.n !== 0) found.push({ kind: "product", a, b, inverse: true });
  if (divide && a.n !== 0) found.push({ kind: "product", a: b, b: a, inverse: true });
  return found;
}

function valueFrom({ kind, a, b, inverse }: Operation<Fraction>): Fraction {
  if (kind === "sum") return reduce(a.n * b.d + (inverse ? -b.n : b.n) * a.d, a.d * b.d);
  return inverse ? reduce(a.n * b.d, a.d * b.n) : reduce(a.n * b.n, a.d * b.d);
}

function reduce(n: number, d: number): Fraction {
  let a = n;
  let b = d;
  while (b !== 0) [a, b] = [b, a % b];
  return { n: n / a, d: d / a };
}

function isWhole(value: Fraction, target: number): boolean {
  return value.d === 1 && value.n === target;
}

function numberTerm(value: number): Term {
  return { kind: "number", n: value, d: 1, plus: [], minus: [] };
}

/** The result of an operation, its parts sorted by value, largest first. */
function join(operation: Operation<Term>): Term {
  const { kind, a, b, inverse } = operation;
  const partsOf = (term: Term) => (term.kind === kind ? term : { plus: [term], minus: [] });
  const left = partsOf(a);
  const right = partsOf(b);
  const plus = [...left.plus, ...(inverse ? right.minus : right.plus)].sort(byValue);
  const minus = [...left.minus, ...(inverse ? right.plus : right.minus)].sort(byValue);
  return { kind, ...valueFrom(operation), plus, minus };
}

/** With the fewest parentheses: only a sum inside a product needs them. */
function write({ kind, n, plus, minus }: Term): string {
  if (kind === "number") return String(n);
  const [sign, inverseSign] = kind === "sum" ? ["+", "-"] : ["*", "/"];
  const part = (term: Term) => (kind === "product" && term.kind === "sum" ? `(${write(term)})` : write(term));
  return plus.map(part).join(sign) + minus.map((term) => inverseSign + part(term)).join("");
}

function byValue(a: Term, b: Term): number {
  const order = b.n * a.d - a.n * b.d;
  if (order !== 0 || (a.kind === "number" && b.kind === "number")) return order;
  return write(a) < write(b) ? -1 : 1;
}
