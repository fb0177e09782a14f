/** Real processes on one folder: one holds it, the others are refused, and nobody waits for the dead. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { identityOf, ownContainer } from "../core/process-identity.ts";
import { LOCK_FILE, whileLocked } from "./run-lock.ts";

let dir: string;
let path: string;
let children: ChildProcess[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mulligan-lock-"));
  path = join(dir, LOCK_FILE);
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
  await rm(dir, { recursive: true, force: true });
});

const tsx = createRequire(import.meta.url).resolve("tsx");
const lockModule = new URL("./run-lock.ts", import.meta.url).href;

/** Says "held" while it holds the folder, until a line comes; says what it was refused with. */
const HOLDER = `
  const { whileLocked } = await import(${JSON.stringify(lockModule)});
  process.on("SIGTERM", () => process.exit(143));
  const line = new Promise((resolve) => process.stdin.once("data", resolve));
  await whileLocked(process.argv[1], async () => { console.log("held"); await line; })
    .catch((error) => console.log(error.code, error.message));
  process.stdin.destroy();
`;

/** A process that tries to hold the folder, and the first thing it says. */
async function startHolder(): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, ["--import", tsx, "--input-type=module", "-e", HOLDER, dir], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  const [said] = await once(child.stdout!, "data");
  return { child, said: String(said).trim() };
}

async function end({ child }: { child: ChildProcess }, how: NodeJS.Signals | "by itself"): Promise<void> {
  const ended = once(child, "exit");
  if (how === "by itself") child.stdin!.write("\n");
  else child.kill(how);
  await ended;
}

const hold = () => whileLocked(dir, async () => JSON.parse(await readFile(path, "utf8")));
const write = (holder: object) => writeFile(path, JSON.stringify(holder));
const here = async () => {
  const container = await ownContainer();
  return container === undefined ? {} : { container };
};
const since = "2026-01-02T03:04:05.678Z";

test("the second process is refused, told who holds the folder, and gets it when that one has ended", async () => {
  const first = await startHolder();
  expect(first.said).toBe("held");
  const refused = new RegExp(
    `run\\.lock: one process at a time writes into a run folder, got process ${first.child.pid} on ${hostname()} since 20`,
  );
  expect((await startHolder()).said).toMatch(refused);
  await expect(hold()).rejects.toMatchObject({
    code: "io",
    hint: expect.stringContaining(`kill ${first.child.pid}`),
  });
  await end(first, "by itself");
  expect(await readdir(dir)).toEqual([]);
  expect((await startHolder()).said).toBe("held");
}, 60_000);

test("a process that exits on a signal leaves no lock, a killed one leaves a lock that is taken over", async () => {
  await end(await startHolder(), "SIGTERM");
  expect(await readdir(dir)).toEqual([]);
  await end(await startHolder(), "SIGKILL");
  expect(await readdir(dir)).toEqual([LOCK_FILE]);
  expect(await hold()).toMatchObject({ pid: process.pid });
  expect(await readdir(dir)).toEqual([]);
}, 60_000);

test("of several processes that find the lock of a dead one, exactly one holds the folder", async () => {
  await write({ pid: 2 ** 22 + 1, host: hostname(), since, ...(await here()) });
  const said = (await Promise.all(Array.from({ length: 3 }, startHolder))).map((holder) => holder.said);
  expect(said.filter((text) => text === "held")).toHaveLength(1);
  expect(said.filter((text) => text.startsWith("io "))).toHaveLength(2);
}, 60_000);

describe("in one process", () => {
  test("the lock goes when the work fails, and the work's error comes through", async () => {
    const failing = whileLocked(dir, async () => {
      expect(await readdir(dir)).toEqual([LOCK_FILE]);
      throw new RangeError("a bug");
    });
    await expect(failing).rejects.toThrow(new RangeError("a bug"));
    expect(await readdir(dir)).toEqual([]);
  });

  test("a folder cannot be held twice", async () => {
    await whileLocked(dir, () => expect(hold()).rejects.toMatchObject({ code: "io" }));
  });

  test("another host's lock is refused with what to do, whatever runs here", async () => {
    await write({ pid: process.pid, host: "elsewhere", since });
    await expect(hold()).rejects.toMatchObject({
      message: expect.stringMatching(`got process ${process.pid} on elsewhere since ${since}$`),
      hint: expect.stringContaining(`remove the lock: ${path}`),
    });
    expect(await readdir(dir)).toEqual([LOCK_FILE]);
  });

  test.runIf(process.platform === "linux")(
    "numbers of another container of this host mean nothing here",
    async () => {
      await write({ pid: 2 ** 22 + 1, host: hostname(), since, container: "pid:[1]" });
      await expect(hold()).rejects.toMatchObject({
        hint: expect.stringContaining("cannot be seen from here"),
      });
    },
  );

  test("a lock that cannot be read is refused and left alone", async () => {
    await writeFile(path, "");
    await expect(hold()).rejects.toMatchObject({ message: expect.stringContaining("cannot be read") });
    expect(await readFile(path, "utf8")).toBe("");
    await rm(path);
    await mkdir(path);
    await expect(hold()).rejects.toMatchObject({ message: expect.stringContaining("cannot be read") });
  });

  test.runIf(process.platform === "linux")(
    "a number that another process has got since holds nothing",
    async () => {
      const identity = await identityOf(process.pid);
      expect(identity).toMatch(/^[0-9a-f-]{36}:\d+$/);
      await write({ pid: process.pid, host: hostname(), since, identity: `${identity}1`, ...(await here()) });
      expect(await hold()).toMatchObject({ identity });
    },
  );

  test("without a moment of beginning the number alone decides", async () => {
    await write({ pid: process.pid, host: hostname(), since, ...(await here()) });
    await expect(hold()).rejects.toMatchObject({
      hint: `wait until it ends, or stop it: kill ${process.pid}`,
    });
    await write({ pid: 2 ** 22 + 1, host: hostname(), since, ...(await here()) });
    expect(await hold()).toMatchObject({ pid: process.pid });
  });
});
