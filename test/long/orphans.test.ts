/** However a run ends, its verifier's processes end with it: by itself, by Ctrl-C or SIGTERM twice, or killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MARK } from "../../src/verify/apart/guarded-process.ts";
import { markedProcesses } from "../../src/verify/apart/stragglers.ts";
import { argvFrom, makeFolder, makeTinyModel } from "../e2e/tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let model: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  model = await makeTinyModel(join(folder, "model"));
});
afterAll(() => remove());

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const tsx = createRequire(import.meta.url).resolve("tsx");

/** Starts `collect` with this verifier, and waits until its answers are being verified. */
async function startCollect(name: string, verify: string) {
  const task = join(folder, `${name}.ts`);
  await writeFile(
    task,
    `import { defineTask } from "mulligan/tasks";
     import { spawn } from "node:child_process";
     const rows = Array.from({ length: 60 }, (_, i) => "copy: " + i);
     export default defineTask({ rows, prompt: (row) => row, reflectionPrompt: "why", verify: ${verify} });`,
  );
  const flags = { "--model": model, "--task": task, "--output-dir": join(folder, name), "--threads": 1 };
  const argv = argvFrom("collect", { ...flags, "--max-attempt-length": 6, "--collect.max-problems": 12 });
  const child = spawn(process.execPath, ["--import", tsx, main, ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
  const ended = once(child, "exit").then(([code, signal]) => ({ code, signal, said }));
  return { child, ended, marked: () => markedProcesses(MARK, `${child.pid}.`) };
}

type Started = Awaited<ReturnType<typeof startCollect>>;

async function until(isTrue: () => boolean, ms = 20_000): Promise<void> {
  for (let waited = 0; !isTrue(); waited += 50) {
    if (waited > ms) throw new Error("it never happened");
    await sleep(50);
  }
}

const isVerifying = async ({ marked }: Started, processes: number) => {
  await until(() => marked().length >= processes);
  await sleep(1000); // they load the task; then they loop
};

test.runIf(process.platform === "linux").each<[string, (started: Started) => Promise<void>, object]>([
  [
    "Ctrl-C twice",
    async ({ child }) => {
      child.kill("SIGINT");
      await sleep(300);
      child.kill("SIGINT");
    },
    { code: 130 },
  ],
  [
    "being terminated twice",
    async ({ child }) => {
      child.kill("SIGTERM");
      await sleep(300);
      child.kill("SIGTERM");
    },
    { code: 143 },
  ],
  ["being killed", async ({ child }) => void child.kill("SIGKILL"), { signal: "SIGKILL" }],
])("after %s no process is left of verifiers that loop and fork", async (name, end, how) => {
  const verify = '() => { spawn("sleep", ["600"], { stdio: "ignore" }); for (;;) {} }';
  const started = await startCollect(name.replaceAll(" ", "-"), verify);
  await isVerifying(started, 6); // two processes, each with a shell beside it and a child
  await end(started);
  expect(await started.ended).toMatchObject(how);
  await until(() => started.marked().length === 0, 3000);
});

test.runIf(process.platform === "linux")("a run that ends by itself leaves none either", async () => {
  const started = await startCollect("ends", "(answer) => answer.length > 1000");
  expect(await started.ended).toMatchObject({ code: 0 });
  expect(started.marked()).toEqual([]);
});
