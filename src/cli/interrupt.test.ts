import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { watchInterrupts } from "./interrupt.ts";

test("the first Ctrl-C asks for a clean stop, the second ends with 130", () => {
  const source = new EventEmitter();
  const written: string[] = [];
  const exits: number[] = [];
  const { signal, dispose } = watchInterrupts(source, { write: (text) => written.push(text) }, (code) =>
    exits.push(code),
  );

  source.emit("SIGINT");
  expect([signal.aborted, written, exits]).toEqual([
    true,
    ["\nstopping after this step (Ctrl-C again to quit at once)\n"],
    [],
  ]);

  source.emit("SIGINT");
  expect([written.length, exits]).toEqual([1, [130]]);

  dispose();
  expect(source.listenerCount("SIGINT")).toBe(0);
});
