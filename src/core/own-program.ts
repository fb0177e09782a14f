/**
 * Starts modules of our own apart from the program, in a thread or a process. From built files such a module is plain
 * JavaScript; from sources (tests, `tsx`) jiti loads it. `self` is the caller's import.meta.url, beside which the module lies;
 * its name goes without an ending.
 */
import { Worker, type WorkerOptions } from "node:worker_threads";

export function startWorker(self: string, name: string, options: WorkerOptions): Worker {
  if (!isSource(self)) return new Worker(new URL(`${name}.js`, self), options);
  return new Worker(programFor(self, name), { execArgv: [], ...options, eval: true });
}

/** A program, as text for `node --input-type=module --eval`, that is the module. */
export function programFor(self: string, name: string): string {
  const file = new URL(`${name}.${isSource(self) ? "ts" : "js"}`, self).href;
  if (!isSource(self)) return `import(${JSON.stringify(file)})`;
  // resolved here: a program that is a text would look for jiti in the current folder
  const [from, jiti, path] = [self, import.meta.resolve("jiti"), file].map((url) => JSON.stringify(url));
  return `import(${jiti}).then(({ createJiti }) => createJiti(${from}).import(${path}))`;
}

const isSource = (url: string) => url.endsWith(".ts");
