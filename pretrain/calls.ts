/**
 * Function-calling exercises: the wrong tool is called or a slot gets a wrong value, and hints name a tool or a filled
 * slot. Only tools that training may ask for are called for.
 */
import type { Rng } from "../src/core/rng.ts";
import {
  functionCallingSplit,
  generateFunctionCalls,
  type ToolCall,
  type ToolSpec,
  WORDS,
} from "../src/tasks/function-calling/generate.ts";
import { functionCallingPrompt } from "../src/tasks/function-calling/task.ts";
import type { Exercise, Lead } from "./dialogue.ts";

type Pair = [slot: string, value: string];

export function drawCall(rng: Rng): Exercise {
  const seed = rng.int(0, 2 ** 31);
  const [row] = generateFunctionCalls({
    count: 1,
    seed,
    exclude: (row) => functionCallingSplit(row) !== "train",
  });
  const [{ name, arguments: slots }] = JSON.parse(row!.answers) as [ToolCall];
  const others = (JSON.parse(row!.tools) as ToolSpec[]).filter((tool) => tool.name !== name);
  const gold = Object.entries(slots).map(([slot, value]): Pair => [slot, String(value)]);

  const wrongTool = (): Lead => {
    const other = rng.choice(others);
    const values = Object.keys(other.parameters).map((slot, i): Pair => [slot, gold[i % gold.length]![1]]);
    return { piece: other.name, answer: callText(other.name, values) };
  };
  const wrongSlot = (): Lead => {
    const place = rng.int(0, gold.length - 1);
    const [slot, value] = gold[place]!;
    const wrong = drawOtherValue(value, rng);
    return { piece: `${slot}=${wrong}`, answer: callText(name, gold.with(place, [slot, wrong])) };
  };
  const mistake = () => (rng.next() < 0.5 ? wrongTool() : wrongSlot());
  return {
    question: functionCallingPrompt(row!),
    right: () => callText(name, gold),
    wrong: () => mistake().answer,
    goodHint: (failed) => {
      const filled = failed.split(/[(),]/);
      const missed = gold.map((pair) => pair.join("=")).find((pair) => !filled.includes(pair));
      const piece = failed.startsWith(`${name}(`) && missed !== undefined ? missed : name;
      return { piece, answer: callText(name, gold) };
    },
    wrongHint: mistake,
  };
}

function callText(name: string, pairs: readonly Pair[]): string {
  return `${name}(${pairs.map((pair) => pair.join("=")).join(",")})`;
}

function drawOtherValue(value: string, rng: Rng): string {
  const other = rng.next() < 0.5 ? String(rng.int(0, 99)) : rng.choice(WORDS);
  return other === value ? "x" : other;
}
