/** The function-calling miniature as a task: its compact wording, and an exact comparison of calls. */
import { z } from "zod";
import { hashSeed, hashText } from "../../core/rng.ts";
import type { Split, Task, Verdict } from "../../core/task.ts";
import { lastAnswerTag } from "../../verify/answer.ts";
import { COMPACT_REFLECTION, compactAnswer, compactRetry } from "../compact.ts";
import { defineTask } from "../define-task.ts";
import { parseOptions } from "../options.ts";
import {
  type FunctionCallingRow,
  functionCallingSplit,
  generateFunctionCalls,
  type ToolCall,
  type ToolSpec,
} from "./generate.ts";

export const FunctionCallingOptions = z.strictObject({
  seed: z.int().default(0).describe("seed of the generated rows"),
  train: z.int().min(1).default(4000).describe("training rows"),
  validation: z.int().min(1).default(500).describe("validation rows"),
  test: z.int().min(1).default(1000).describe("test rows"),
});

export type FunctionCallingOptions = z.input<typeof FunctionCallingOptions>;

/** Generated rows. Throws `MulliganError("config")`. */
export function functionCalling(options: FunctionCallingOptions = {}): Task<FunctionCallingRow> {
  const settings = parseOptions("function-calling", FunctionCallingOptions, options);
  const rows = (split: Split) => () =>
    generateFunctionCalls({
      count: settings[split],
      seed: hashSeed(settings.seed, hashText(split)),
      exclude: (row) => functionCallingSplit(row) !== split,
    });
  return defineTask<FunctionCallingRow>({
    name: "function-calling",
    rows: { train: rows("train"), validation: rows("validation"), test: rows("test") },
    prompt: functionCallingPrompt,
    reflectionPrompt: COMPACT_REFLECTION,
    plainRetryPrompt: (row) => compactRetry(functionCallingPrompt(row)),
    verify: verifyFunctionCall,
    answer: (row) => compactAnswer(functionCallAnswer(row)),
    leaks: leaksCall,
  });
}

/** "tools: lamo(dist,name) biru(x)" and the query on a line of its own. */
export function functionCallingPrompt(row: FunctionCallingRow): string {
  const tools = JSON.parse(row.tools) as ToolSpec[];
  const signatures = tools.map(({ name, parameters }) => `${name}(${Object.keys(parameters).join(",")})`);
  return `tools: ${signatures.join(" ")}\n${row.query}`;
}

/** The gold call in the form that the model writes: "biru(x=12)", slots in the order of the signature. */
export function functionCallAnswer(row: FunctionCallingRow): string {
  const [call] = JSON.parse(row.answers) as ToolCall[];
  const slots = Object.entries(call!.arguments).map(([slot, value]) => `${slot}=${value}`);
  return `${call!.name}(${slots.join(",")})`;
}

/** Right tool, right slots, right values; the order of the slots and spaces do not matter. Never throws. */
export function verifyFunctionCall(text: string, row: FunctionCallingRow): Verdict {
  const answer = lastAnswerTag(text);
  if (answer === undefined) return { kind: "failed", feedback: "no call: nothing in <answer>…</answer>" };
  const call = parseCall(answer);
  if (!call) return { kind: "failed", feedback: "no call: it must look like tool(slot=value)" };
  const gold = parseCall(functionCallAnswer(row))!;
  if (call.name !== gold.name) {
    return { kind: "failed", feedback: `wrong tool: ${call.name}, not ${gold.name}` };
  }
  if (String(call.slots) === String(gold.slots)) return { kind: "solved" };
  return { kind: "failed", feedback: `wrong slots: ${call.slots}, not ${gold.slots}` };
}

/** Is one of the calls that a reflection writes out the right one? Never throws. */
export function leaksCall(reflection: string, row: FunctionCallingRow): boolean {
  const calls = reflection.slice(0, 16_384).match(/\b\w+\s*\([^()]*\)/g) ?? [];
  return calls.some((call) => verifyFunctionCall(compactAnswer(call), row).kind === "solved");
}

/** A call with its "slot=value" texts sorted, or undefined when the text is none or fills a slot twice. */
function parseCall(text: string): { name: string; slots: string[] } | undefined {
  const match = /^\s*(\w+)\s*\(([^()]*)\)\s*$/.exec(text.slice(0, 512));
  if (!match) return undefined;
  const slots = new Map<string, string>();
  for (const pair of match[2]!.split(",")) {
    const [, slot, value] = /^\s*(\w+)\s*=\s*(\w+)\s*$/.exec(pair) ?? [];
    if (slot === undefined || value === undefined || slots.has(slot)) return undefined;
    slots.set(slot, value);
  }
  return { name: match[1]!, slots: [...slots].map(([slot, value]) => `${slot}=${value}`).sort() };
}
