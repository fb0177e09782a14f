/**
 * The thread in which chat templates are parsed and rendered. A template is a program from a model's folder: what takes too
 * long is ended from outside (template-thread.ts), what would take too much memory is refused in here.
 */
import { workerData } from "node:worker_threads";
import * as jinja from "@huggingface/jinja";
import { messageOf } from "../core/errors.ts";
import type { RenderReply, RenderRequest, RenderSetup } from "./template-protocol.ts";

/** Longest text that a template may make at any place, in characters: some half a million tokens. */
const MAX_TEXT = 2 ** 21;
/** Longest list, and most fields of an object. A list costs a loop over it some 400 bytes an item. */
const MAX_ITEMS = 2 ** 16;
/** Characters, and items times ITEM_CHARACTERS, that may come out of all expressions of a rendering together. */
const MAX_PASSED = 2 ** 26;
const ITEM_CHARACTERS = 16;
/** Templates that are kept parsed: a process has one model, seldom two. Arbitrary. */
const MAX_PARSED = 4;

interface Value {
  value: unknown;
}

/** What is used of the library: its declarations name files in a way that TypeScript does not find here. */
interface Jinja {
  Template: new (source: string) => { parsed: object };
  Environment: new () => { set(name: string, value: unknown): void };
  /** `evaluate` calls itself for every part of an expression and every statement. */
  Interpreter: new (
    environment: object,
  ) => {
    run(program: object): Value;
    evaluate(node: object, environment: object): Value;
  };
}
const { Template, Environment, Interpreter } = jinja as unknown as Jinja;
type Parsed = InstanceType<typeof Template>;

class OutOfRoom extends Error {}

/** Watches what every expression comes to. */
class BoundedInterpreter extends Interpreter {
  #passed = 0;

  override evaluate(node: object, environment: object): Value {
    const result = super.evaluate(node, environment);
    const { value } = result;
    if (typeof value === "string") this.#count(value.length, MAX_TEXT, "characters", 1);
    else if (Array.isArray(value)) this.#count(value.length, MAX_ITEMS, "items", ITEM_CHARACTERS);
    else if (value instanceof Map) this.#count(value.size, MAX_ITEMS, "fields", ITEM_CHARACTERS);
    return result;
  }

  #count(length: number, most: number, what: string, weight: number): void {
    if (length > most) throw new OutOfRoom(`it makes ${length} ${what}, more than ${most}`);
    this.#passed += length * weight;
    if (this.#passed > MAX_PASSED) throw new OutOfRoom("its expressions make too much text in all");
  }
}

/**
 * Calls by which the library makes one long text of short ones, before an expression's result can be looked at: bounded
 * where they are defined, for this thread alone.
 */
function boundTextMaking(): void {
  const { repeat, replaceAll } = String.prototype;
  const { join } = Array.prototype;
  const require = (length: number) => {
    if (length > MAX_TEXT) throw new OutOfRoom(`it makes ${length} characters, more than ${MAX_TEXT}`);
  };
  const define = (prototype: object, name: string, value: unknown) =>
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
  define(String.prototype, "repeat", function (this: string, count: number) {
    require(this.length * count);
    return repeat.call(this, count);
  });
  define(Array.prototype, "join", function (this: unknown[], separator = ",") {
    let length = separator.length * this.length;
    for (const item of this) length += typeof item === "string" ? item.length : 0;
    require(length);
    return join.call(this, separator);
  });
  define(
    String.prototype,
    "replaceAll",
    function (this: string, pattern: RegExp, by: (text: string) => string) {
      let length = 0;
      const counted = (text: string) => {
        const replacement = by(text);
        length += replacement.length;
        require(length);
        return replacement;
      };
      return replaceAll.call(this, pattern, counted);
    },
  );
}

/** Numbers from start, as Python counts: before the list is made its length is known. */
function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= MAX_ITEMS)) throw new OutOfRoom(`range() makes ${length} items, more than ${MAX_ITEMS}`);
  return Array.from({ length }, (_, i) => from + i * step);
}

// 26 July 2024 is the date that Llama's templates fall back to; a fixed one keeps prompts the same on every day.
const FIXED_DATE: Readonly<Record<string, string>> = {
  "%Y": "2024",
  "%y": "24",
  "%m": "07",
  "%b": "Jul",
  "%B": "July",
  "%d": "26",
  "%a": "Fri",
  "%A": "Friday",
  "%H": "00",
  "%M": "00",
  "%S": "00",
  "%%": "%",
};

/** What every template finds, as the library's own Template gives it but for the date. */
const GLOBALS = {
  ...{ true: true, false: false, none: null, True: true, False: false, None: null },
  raise_exception(reason: string) {
    throw new Error(reason);
  },
  range,
  strftime_now: (format: string) => format.replace(/%./g, (code) => FIXED_DATE[code] ?? code),
};

function renderWith({ parsed }: Parsed, context: RenderRequest["contexts"][number]): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries({ ...GLOBALS, documents: null })) environment.set(name, value);
  for (const [name, value] of Object.entries(context)) environment.set(name, value);
  return new BoundedInterpreter(environment).run(parsed).value as string;
}

const parsedTemplates = new Map<string, Parsed>();

function parse(source: string): Parsed {
  const known = parsedTemplates.get(source);
  if (known) return known;
  const template = new Template(source);
  if (parsedTemplates.size >= MAX_PARSED) parsedTemplates.clear();
  parsedTemplates.set(source, template);
  return template;
}

function answer({ source, contexts }: RenderRequest): RenderReply {
  const texts: string[] = [];
  let template: Parsed;
  try {
    template = parse(source);
  } catch (error) {
    return { failed: "parse", reason: messageOf(error) };
  }
  try {
    for (const context of contexts) texts.push(renderWith(template, context));
    return { texts };
  } catch (error) {
    return { failed: "render", reason: messageOf(error), at: texts.length };
  }
}

const { signal, port } = workerData as RenderSetup;
const wake = () => {
  Atomics.store(signal, 0, 1);
  Atomics.notify(signal, 0);
};

boundTextMaking();
port.on("message", (request: RenderRequest) => {
  port.postMessage(answer(request));
  wake();
});
wake();
