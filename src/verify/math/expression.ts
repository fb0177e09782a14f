/**
 * Arithmetic as people write it on paper: whole numbers, binary + − × ÷ and parentheses, nothing else, evaluated
 * exactly. Whatever the text, it returns: length and depth are capped, and what does not parse says why.
 */
import { add, divide, isZero, multiply, negate, type Rational, rational, subtract } from "./rational.ts";

export type Operator = "+" | "-" | "*" | "/";

export interface ExpressionOptions {
  /** Which operators may be used. Default: all four. */
  operators?: string;
  /** Is -3 a number, also in front of a parenthesis? Default false. */
  allowUnaryMinus?: boolean;
}

export type Evaluation =
  | { ok: true; value: Rational; numbers: number[] }
  /** `reason` continues a sentence: "unexpected ^ at position 3". */
  | { ok: false; reason: string };

/** Longer text is no equation of a few numbers; keeps exact values short too. */
const MAX_LENGTH = 512;
const MAX_DEPTH = 64;
const MAX_DIGITS = 15;

const OPERATORS: Readonly<Record<string, Operator>> = {
  "+": "+",
  "-": "-",
  "−": "-",
  "*": "*",
  "×": "*",
  "/": "/",
  "÷": "/",
};

type Token =
  | { kind: "number"; value: number; at: number }
  | { kind: "operator"; operator: Operator; at: number }
  | { kind: "(" | ")" | "end"; at: number };

/** Carries a reason out of the descent; never leaves this file. No Error: a stack trace costs more than the parse. */
class Rejection {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Parses and evaluates an expression; `numbers` are those written, in order. Never throws. */
export function evaluateExpression(text: string, options: ExpressionOptions = {}): Evaluation {
  try {
    if (text.length > MAX_LENGTH) throw new Rejection(`longer than ${MAX_LENGTH} characters`);
    const tokens = tokenize(text);
    const numbers = tokens.flatMap((token) => (token.kind === "number" ? [token.value] : []));
    return { ok: true, value: evaluate(tokens, options), numbers };
  } catch (error) {
    if (error instanceof Rejection) return { ok: false, reason: error.reason };
    throw error;
  }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    const operator = OPERATORS[character];
    if (operator !== undefined) {
      tokens.push({ kind: "operator", operator, at });
      at++;
    } else if (character === "(" || character === ")") {
      tokens.push({ kind: character, at });
      at++;
    } else if (isDigit(character)) {
      const start = at;
      while (at < text.length && isDigit(text[at]!)) at++;
      tokens.push({ kind: "number", value: numberFrom(text.slice(start, at), start), at: start });
    } else if (/\s/.test(character)) {
      at++;
    } else {
      throw new Rejection(`unexpected ${JSON.stringify(character)} at position ${at + 1}`);
    }
  }
  tokens.push({ kind: "end", at });
  return tokens;
}

function isDigit(character: string): boolean {
  return character >= "0" && character <= "9";
}

function numberFrom(digits: string, at: number): number {
  if (digits.length > MAX_DIGITS) throw new Rejection(`a number of ${digits.length} digits`);
  if (digits.length > 1 && digits[0] === "0") throw new Rejection(`leading zero at position ${at + 1}`);
  return Number(digits);
}

/** sum := product (("+" | "-") product)*, product := factor (("*" | "/") factor)*, factor := number | "(" sum ")". */
function evaluate(tokens: readonly Token[], options: ExpressionOptions): Rational {
  const { operators = "+-*/", allowUnaryMinus = false } = options;
  let position = 0;
  let depth = 0;
  const peek = () => tokens[position]!;

  function binary(allowed: readonly Operator[]): Operator | undefined {
    const token = peek();
    if (token.kind !== "operator" || !allowed.includes(token.operator)) return undefined;
    if (!operators.includes(token.operator))
      throw new Rejection(`${token.operator} is not one of ${operators}`);
    position++;
    return token.operator;
  }

  function sum(): Rational {
    let value = product();
    for (let operator = binary(["+", "-"]); operator; operator = binary(["+", "-"])) {
      value = (operator === "+" ? add : subtract)(value, product());
    }
    return value;
  }

  function product(): Rational {
    let value = factor();
    for (let operator = binary(["*", "/"]); operator; operator = binary(["*", "/"])) {
      const right = factor();
      if (operator === "/" && isZero(right)) throw new Rejection("division by zero");
      value = (operator === "*" ? multiply : divide)(value, right);
    }
    return value;
  }

  function factor(): Rational {
    if (++depth > MAX_DEPTH) throw new Rejection(`nested deeper than ${MAX_DEPTH}`);
    const token = peek();
    position++;
    let value: Rational;
    if (token.kind === "number") {
      value = rational(token.value);
    } else if (token.kind === "(") {
      value = sum();
      if (peek().kind !== ")") throw unexpected(peek());
      position++;
    } else if (token.kind === "operator" && token.operator === "-" && allowUnaryMinus) {
      value = negate(factor());
    } else {
      throw unexpected(token);
    }
    depth--;
    return value;
  }

  const value = sum();
  if (peek().kind !== "end") throw unexpected(peek());
  return value;
}

function unexpected(token: Token): Rejection {
  if (token.kind === "end") return new Rejection(token.at === 0 ? "empty" : "it ends too early");
  const written =
    token.kind === "number" ? token.value : token.kind === "operator" ? token.operator : token.kind;
  return new Rejection(`unexpected ${written} at position ${token.at + 1}`);
}
