import { expect, test } from "vitest";
import type { Check } from "../../train/doctor/check.ts";
import { createDoctorView, renderFinding, renderVerdict } from "./doctor-view.ts";

const checks: Check[] = [
  { name: "Node", status: "ok", found: "22.1.0" },
  { name: "training step", status: "failed", found: "no gradient\nat all", advice: "do this\nthen that" },
];

test("names, findings and advice stand in columns", () => {
  expect(
    checks
      .map((check) => renderFinding(check))
      .join("\n")
      .split("\n"),
  ).toEqual([
    "ok       Node           22.1.0",
    "failed   training step  no gradient",
    "                        at all",
    "                        → do this",
    "                        then that",
  ]);
});

test("nothing that a file or a task said steers the terminal", () => {
  const hostile = { name: "task", status: "failed", found: "\u001b[2Jgone", advice: "\u009b31m" } as const;
  expect(renderFinding(hostile)).toBe(
    "failed   task           \uFFFD[2Jgone\n                        → \uFFFD31m",
  );
});

test("on a terminal the check under way is shown until its line comes; elsewhere only lines are", () => {
  for (const isTTY of [true, false]) {
    const [out, err]: [string[], string[]] = [[], []];
    const view = createDoctorView(
      { write: (text) => out.push(text) },
      { write: (text) => err.push(text), isTTY },
    );
    view.checking("Node");
    view.checked(checks[0]!);
    expect(err).toEqual(isTTY ? ["\r\u001b[K         Node …", "\r\u001b[K"] : []);
    expect(out).toEqual(["ok       Node           22.1.0\n"]);
  }
});

test("the last line counts what was only a warning", () => {
  const warned: Check = { name: "threads", status: "warning", found: "" };
  expect(renderVerdict([checks[0]!])).toBe("A run would work here.");
  expect(renderVerdict([warned])).toBe("A run would work here (1 warning above).");
  expect(renderVerdict([warned, warned])).toBe("A run would work here (2 warnings above).");
});
