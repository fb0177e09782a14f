import { expect, test } from "vitest";
import { parseFault } from "./fault.ts";

test("a fault names a point, the end of a path, which time and what happens", () => {
  expect(parseFault("rename:latest:2:kill")).toEqual({
    ...{ point: "rename", file: "latest", count: 2, what: "kill" },
  });
  expect(parseFault("*::7:ENOSPC")).toEqual({ point: "*", file: "", count: 7, what: "ENOSPC" });
  expect(parseFault(undefined)).toBeUndefined();
});

test.each(["", "rename:2:kill", "write::0:kill", "write::1:die"])("refuses %j", (text) => {
  expect(() => parseFault(text)).toThrow(
    `MULLIGAN_FAULT: must be point:file:count:kill|torn|CODE, got ${text}`,
  );
});
