/**
 * Compares answers to mathematics questions as the MATH data set's own grader does (Hendrycks et al. 2021): by their text
 * once spacing, units and ways to write a fraction are gone; numbers also by exact value. It never guesses at algebra:
 * what is equal only after a calculation counts as different. Linear in the length of the text.
 */
import { type Rational, rational } from "./rational.ts";

/** Longer text is no final answer; it is compared as it is. */
const MAX_LENGTH = 2000;
const MAX_DIGITS = 100;

const SYMBOLS: Readonly<Record<string, string>> = {
  "−": "-",
  "–": "-",
  π: "\\pi ",
  "°": "",
  "×": "\\times ",
};

/** Are the two the same answer? Symmetric; blank text is the same as nothing. */
export function sameMathAnswer(a: string, b: string): boolean {
  const [x, y] = [normalizeMath(a), normalizeMath(b)];
  if (x === "" || y === "") return false;
  if (x === y) return true;
  const [m, n] = [numberFrom(x), numberFrom(y)];
  return m !== undefined && n !== undefined && m.numerator === n.numerator && m.denominator === n.denominator;
}

/** "18", "-1,234.50", "\frac{3}{4}", "$5" or "12\text{ cm}" as an exact number; undefined for anything else. */
export function readNumber(text: string): Rational | undefined {
  return numberFrom(normalizeMath(text));
}

/** One spelling for answers that differ in LaTeX only. */
export function normalizeMath(text: string): string {
  if (text.length > MAX_LENGTH) return text;
  let t = text.replaceAll(/[−–π°×]/g, (symbol) => SYMBOLS[symbol]!).trim();
  t = t
    .replaceAll(/\\!|(?<=\d)\\,(?=\d{3})/g, "")
    .replaceAll(/\\[,;: ]|\\(?:quad|displaystyle)(?![a-zA-Z])|~/g, " ");
  t = t.replaceAll(/\\(?:left|right)(?=[()[\]{}|.\\/])/g, "");
  t = t.replaceAll(/\\[tdc]frac(?![a-zA-Z])/g, "\\frac");
  t = t.replaceAll(/\^(?:\\circ|\{\s?\\circ\s?\})|\\degree(?![a-zA-Z])/g, "");
  t = t.replaceAll(/\\?[$%]/g, "");
  t = withoutWords(t.trim());
  t = t.replace(/^[a-zA-Z]\s?=(?!.*=)/s, "").replace(/(?<=[^.])\.$/, "");
  t = t.replaceAll(/\s+/g, " ").replaceAll("{,}", ",");
  t = t.replaceAll(/\\(frac|sqrt) ?([a-zA-Z0-9]) ?/g, "\\$1{$2}");
  t = t.replaceAll(/(\\frac ?\{[^{}]{0,80}\}) ?([a-zA-Z0-9])/g, "$1{$2}");
  t = t.replaceAll(/(?<!\d) | (?!\d)/g, ""); // "1 2" is not 12
  t = t.replaceAll(/(?<!\d)\.(?=\d)/g, "0.");
  return t.replace(/^(-?)(\d+)\/(\d+)$/, "$1\\frac{$2}{$3}");
}

const WORDS = /\\(?:text|mbox|textbf|mathrm|mathbf|textit)\s?\{([^{}]*)\}/g;
/** A unit, perhaps squared, after a number or a closing bracket. */
const UNIT = /(?<=[\d})\]]\s?)\\(?:text|mbox|mathrm)\s?\{[^{}]{0,80}\}(?:\^\{?\d\}?)?$/;

/** Units at the end go; other words stay, without the command around them. */
function withoutWords(text: string): string {
  return text.replace(UNIT, "").trim().replaceAll(WORDS, "$1");
}

const DECIMAL = /^([-+]?)(\d+|\d{1,3}(?:,\d{3})+)(?:\.(\d+))?$/;
const FRACTION = /^([-+]?)\\frac\{([-+]?\d+)\}\{([-+]?\d+)\}$/;

/** Of normalized text. */
function numberFrom(text: string): Rational | undefined {
  if (text.length > MAX_DIGITS) return undefined;
  const decimal = DECIMAL.exec(text);
  if (decimal) {
    const [, sign, whole = "", fraction = ""] = decimal;
    const digits = BigInt(whole.replaceAll(",", "") + fraction);
    return rational(sign === "-" ? -digits : digits, 10n ** BigInt(fraction.length));
  }
  const ratio = FRACTION.exec(text);
  if (!ratio) return undefined;
  const [numerator, denominator] = [ratio[2]!, ratio[3]!].map((part) => BigInt(part.replace("+", "")));
  if (denominator === 0n) return undefined;
  return rational(ratio[1] === "-" ? -numerator! : numerator!, denominator!);
}
