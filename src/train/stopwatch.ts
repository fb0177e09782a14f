/** Where a step's time goes. The only clock of training; its readings are reported and never acted on. */
import { reach } from "../core/fault.ts";
import { type Task, withVerify } from "../core/task.ts";
import type { Engine } from "../engine/contract.ts";
import type { Timings } from "../learn/metric-names.ts";

type Activity = "sample" | "verify" | "train";

export interface Stopwatch {
  /** The engine, watched: sampling apart from forward, backward and optimiser. */
  engine: Pick<
    Engine,
    "info" | "sample" | "forget" | "forward" | "forwardBackward" | "optimStep" | "zeroGrad"
  >;
  /** The task, its verifier watched. */
  task: Task;
  /** Seconds since the last lap: of the whole, of each activity, and of none of them. */
  lap(): Omit<Timings, "tokens_per_second">;
}

export function createStopwatch(engine: Engine, task: Task): Stopwatch {
  const spent: Record<Activity, number> = { sample: 0, verify: 0, train: 0 };
  const running: Record<Activity, number> = { sample: 0, verify: 0, train: 0 };
  const since: Record<Activity, number> = { sample: 0, verify: 0, train: 0 };
  let lapStart = performance.now();

  // calls of one activity overlap (verifiers run at once): time counts while at least one is under way
  async function watch<T>(activity: Activity, work: () => T | Promise<T>): Promise<T> {
    reach(activity);
    if (running[activity]++ === 0) since[activity] = performance.now();
    try {
      return await work();
    } finally {
      if (--running[activity] === 0) spent[activity] += performance.now() - since[activity];
    }
  }

  return {
    engine: {
      info: engine.info,
      ...(engine.forget && { forget: () => engine.forget!() }),
      sample: (requests, params) => watch("sample", () => engine.sample(requests, params)),
      forward: (data, options) => watch("train", () => engine.forward(data, options)),
      forwardBackward: (data, loss) => watch("train", () => engine.forwardBackward(data, loss)),
      optimStep: (params) => watch("train", () => engine.optimStep(params)),
      zeroGrad: () => watch("train", () => engine.zeroGrad()),
    },
    task: withVerify(task, (answer, row) => watch("verify", () => task.verify(answer, row))),
    lap() {
      const now = performance.now();
      const step_time = (now - lapStart) / 1000;
      const [sample, verify, train] = [spent.sample / 1000, spent.verify / 1000, spent.train / 1000];
      const readings = {
        step_time,
        "time/sample": sample,
        "time/verify": verify,
        "time/train": train,
        "time/other": Math.max(0, step_time - sample - verify - train),
      };
      lapStart = now;
      spent.sample = spent.verify = spent.train = 0;
      return readings;
    },
  };
}
