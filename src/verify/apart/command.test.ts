import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MARK } from "./guarded-process.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { markedProcesses } from "./stragglers.ts";
import { openVerifier, type Verifier } from "./verifier.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "command-"));
});
afterAll(() => rm(folder, { recursive: true }));

const limits = { ...DEFAULT_LIMITS, timeoutMs: 10_000, maxOutputBytes: 100_000 };
const left = () => markedProcesses(MARK, `${process.pid}.`);

/** Asks one command once; `answer` and `row` as it is given them. */
async function ask(command: [string, ...string[]], answer = "yes", row: unknown = {}, changes = {}) {
  const verifier = await openVerifier({ command }, { ...limits, ...changes }, folder);
  try {
    return await verifier.verify(answer, row);
  } finally {
    await verifier.close();
  }
}

/** A program for Node that has read its input as `{ answer, row }`. */
const node = (body: string): [string, ...string[]] => [
  process.execPath,
  "-e",
  `const { answer, row } = JSON.parse(require("node:fs").readFileSync(0, "utf8")); ${body}`,
];
const shell = (script: string): [string, ...string[]] => ["/bin/sh", "-c", script];

describe("a command says", () => {
  test.each([
    ["right by exit code 0", "process.exit(answer === row.gold ? 0 : 1)", "4", { kind: "solved" }],
    [
      "wrong by exit code 1",
      "process.exit(answer === row.gold ? 0 : 1)",
      "5",
      { kind: "failed", feedback: "" },
    ],
    [
      "wrong by exit code 1, and why",
      'console.log("not " + row.extra.join()); process.exit(1)',
      "5",
      { kind: "failed", feedback: "not 1,2" },
    ],
    ["right as JSON", "console.log(JSON.stringify(answer === row.gold))", "4", { kind: "solved" }],
    [
      "wrong as JSON",
      "console.log(JSON.stringify(answer === row.gold))",
      "5",
      { kind: "failed", feedback: "" },
    ],
    ["a score as JSON", "console.log(0.5)", "5", { kind: "failed", feedback: "score 0.5" }],
    [
      "a verdict as JSON",
      'console.log(JSON.stringify({ kind: "failed", feedback: "off by one" }))',
      "5",
      { kind: "failed", feedback: "off by one" },
    ],
    [
      "that it cannot tell",
      'console.log(JSON.stringify({ kind: "unscored", cause: "no reference" }))',
      "5",
      { kind: "unscored", cause: "no reference" },
    ],
  ])("%s", async (_, body, answer, verdict) => {
    expect(await ask(node(body), answer, { gold: "4", extra: [1, 2] })).toEqual(verdict);
  });

  test("nothing when it starts from a file beside the task", async () => {
    await writeFile(join(folder, "check.sh"), "cat > /dev/null\nexit 1\n");
    expect(await ask(["/bin/sh", "check.sh"])).toEqual({ kind: "failed", feedback: "" });
  });

  test("right without having read a large row", async () => {
    expect(await ask(shell("exit 0"), "yes", { text: "x".repeat(2_000_000) })).toEqual({ kind: "solved" });
  });
});

describe("an answer is unscored when the command", () => {
  test.each([
    [
      "crashes with exit code 1 like Python",
      shell("echo 'ValueError: 7' >&2; exit 1"),
      /\(exit code 1\): ValueError: 7$/,
    ],
    ["throws", node('throw new Error("broken")'), /\(exit code 1\).*/],
    ["ends with another code", shell("exit 3"), /^the verifier ended its process \(exit code 3\)$/],
    ["is killed", shell("kill -9 $$"), /^the verifier ended its process \(SIGKILL\)$/],
    ["prints no JSON", shell("echo ok"), /^the verifier must give a verdict as JSON, got "ok"$/],
    ["prints JSON that is no verdict", shell("echo '[1]'"), /^the verifier returned \[1\]: expected true/],
    ["is not there", ["no-such-program"], /\(exit code 127\): .*no-such-program: (not found|No such file)/],
    ["loops", shell("while :; do :; done"), /^the verifier took longer than 500 ms$/],
    ["waits for a child that sleeps", shell("sleep 600"), /^the verifier took longer than 500 ms$/],
    ["writes without end", shell("yes"), /^the verifier wrote more than 100000 bytes$/],
    ["complains without end", shell("yes >&2"), /^the verifier wrote more than 100000 bytes$/],
  ] as [string, [string, ...string[]], RegExp][])("%s", async (_, command, cause) => {
    const began = performance.now();
    const timeoutMs = String(cause).includes("500 ms") ? 500 : 10_000;
    expect(await ask(command, "yes", {}, { timeoutMs })).toEqual({
      kind: "unscored",
      cause: expect.stringMatching(cause),
    });
    expect(performance.now() - began).toBeLessThan(6000);
    await expect.poll(left, { timeout: 5000 }).toEqual([]);
  });

  test.runIf(process.platform === "linux")("allocates a gigabyte", async () => {
    const command = node(
      "const kept = []; for (let i = 0; i < 64; i++) kept.push(Buffer.alloc(2 ** 24, 1));",
    );
    expect(await ask(command, "yes", {}, { timeoutMs: 20_000 })).toEqual({
      kind: "unscored",
      cause: expect.stringMatching(/exit code 1/),
    });
  });

  test("has no folder to run in", async () => {
    const verifier = await openVerifier({ command: shell("exit 0") }, limits, join(folder, "gone"));
    expect(await verifier.verify("yes", {})).toEqual({
      kind: "unscored",
      cause: expect.stringMatching(/^the verifier could not be started: .*ENOENT/),
    });
    await verifier.close();
  });

  test("is given a row that is no JSON", async () => {
    expect(await ask(shell("exit 0"), "yes", { n: 1n })).toMatchObject({
      cause: expect.stringMatching(/^the verifier cannot be sent this row: .*BigInt/),
    });
  });
});

test("what a command leaves behind ends with it, a daemon at the latest with the verifier", async () => {
  const script = "sleep 600 & setsid sleep 600 >/dev/null 2>&1 & sleep 0.3";
  const verifier: Verifier = await openVerifier({ command: shell(script) }, limits, folder);
  expect(await verifier.verify("yes", {})).toEqual({ kind: "solved" });
  if (process.platform === "linux") await expect.poll(() => left().length).toBe(1); // the daemon
  await verifier.close();
  await expect.poll(left, { timeout: 5000 }).toEqual([]);
});

test("closing ends the commands that run and lets no other begin", async () => {
  const verifier = await openVerifier(
    { command: shell("sleep 600") },
    { ...limits, timeoutMs: 60_000 },
    folder,
  );
  const verdicts = ["a", "b", "c"].map((answer) => verifier.verify(answer, {}));
  await new Promise((done) => setTimeout(done, 100));
  await verifier.close();
  const closed = { kind: "unscored", cause: "the verifier was closed" };
  expect(await Promise.all(verdicts)).toEqual([closed, closed, closed]);
  await expect.poll(left, { timeout: 5000 }).toEqual([]);
});
