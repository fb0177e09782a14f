import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { unitOf, watchInterrupts } from "./interrupt.ts";

function watched(command = "train") {
  const source = new EventEmitter();
  const written: string[] = [];
  const exits: number[] = [];
  const stderr = { write: (text: string) => written.push(text) };
  const exit = (code: number) => exits.push(code);
  return { source, written, exits, interrupt: watchInterrupts(source, stderr, exit, unitOf(command)) };
}

test.each([
  ["SIGINT", "\nstopping after this step (Ctrl-C again to quit at once)\n", 130],
  ["SIGTERM", "\nSIGTERM: stopping after this step (a second signal quits at once)\n", 143],
  ["SIGHUP", "\nSIGHUP: stopping after this step (a second signal quits at once)\n", 129],
])("the first %s asks for a clean stop, the second ends the process at once", (name, said, code) => {
  const { source, written, exits, interrupt } = watched();
  source.emit(name);
  expect([interrupt.signal.aborted, written, exits]).toEqual([true, [said], []]);
  expect(interrupt.exitCode()).toBe(code);
  source.emit(name);
  expect([written.length, exits]).toEqual([1, [code]]);
});

test("a command without steps says what it finishes", () => {
  const { source, written } = watched("doctor");
  source.emit("SIGINT");
  expect(written).toEqual(["\nstopping after this check (Ctrl-C again to quit at once)\n"]);
  expect(unitOf("constructor")).toBe("this step");
});

test("a second signal may be another, and the code of a clean stop is the first one's", () => {
  const { source, exits, interrupt } = watched();
  source.emit("SIGTERM");
  source.emit("SIGINT");
  expect([exits, interrupt.exitCode()]).toEqual([[130], 143]);
});

test("disposed of, it listens no more", () => {
  const { source, interrupt } = watched();
  interrupt.dispose();
  expect(source.eventNames()).toEqual([]);
});
