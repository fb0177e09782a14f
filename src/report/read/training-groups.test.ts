import { describe, expect, test } from "vitest";
import { MulliganError } from "../../core/errors.ts";
import type { Trace } from "../../core/trace.ts";
import type { TraceRecord } from "../../store/traces.ts";
import { attemptsTrace, codePoints, reflectionsTrace, utterance } from "../fake-run.test.kit.ts";
import type { Finding } from "./damage.ts";
import type { Decode } from "./pieces.ts";
import { keepGroups } from "./training-groups.ts";

let parsed = 0;
async function* stream(traces: readonly Trace[]): AsyncGenerator<TraceRecord> {
  parsed = 0;
  for (const trace of traces) {
    const parse = () => {
      parsed++;
      return trace;
    };
    yield { step: trace.step, parse };
  }
}
const keep = (traces: readonly Trace[], options: { mostBytes: number; decode?: Decode }) =>
  keepGroups(stream(traces), { ...options, onDamaged: () => expect.unreachable() });

const run = (steps: number, groups = 1) =>
  Array.from({ length: steps * groups }, (_, i) => reflectionsTrace(1 + Math.floor(i / groups), "sf"));
const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const oneGroup = async () => bytesOf((await keep(run(1), { mostBytes: 1e9 })).groups[0]);

describe("keepGroups", () => {
  test("keeps every step where there is room", async () => {
    const { groups, steps, groupsOfSteps } = await keep(run(5, 2), { mostBytes: 1e6 });
    expect(groups.map(({ step }) => step)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect({ steps, groupsOfSteps }).toEqual({
      steps: { shown: 5, all: 5 },
      groupsOfSteps: { shown: 10, all: 10 },
    });
  });

  test("else the first, the last and evenly spaced ones, within the room", async () => {
    const mostBytes = 11 * (await oneGroup());
    const { groups, steps } = await keep(run(60), { mostBytes });
    expect(groups.map(({ step }) => step)).toEqual([1, 9, 17, 25, 33, 41, 49, 57, 60]);
    expect(steps).toEqual({ shown: 9, all: 60 });
    expect(bytesOf(groups)).toBeLessThan(mostBytes);
  });

  test("parses no more than it may keep: a run of many gigabytes is skipped through", async () => {
    await keep(run(10_000), { mostBytes: 11 * (await oneGroup()) });
    expect(parsed).toBeLessThan(80); // 9 at each of 10 halvings, fewer that stay, and the last
  });

  test("shows the others of a step where one cannot be read", async () => {
    const damaged: Finding[] = [];
    async function* torn(): AsyncGenerator<TraceRecord> {
      yield* stream([reflectionsTrace(1, "s")]);
      const parse = () => {
        throw new MulliganError("data", "line 3: not JSON");
      };
      yield { step: 1, parse };
      yield* stream([reflectionsTrace(1, "f")]);
    }
    const onDamaged = (finding: Finding) => damaged.push(finding);
    const { groups } = await keepGroups(torn(), { mostBytes: 1e6, onDamaged });
    expect([groups.length, damaged]).toEqual([2, [{ problem: "line 3: not JSON", remedy: { from: 1 } }]]);
  });

  test("keeps as many groups of a step as fit, of the first and the last step at least", async () => {
    const mostBytes = 11 * (await oneGroup());
    const kept = await keep(run(3, 20), { mostBytes });
    expect(kept.steps).toEqual({ shown: 3, all: 3 });
    expect(kept.groupsOfSteps).toEqual({ shown: 6, all: 60 }); // a quarter of the room each: 2 groups
  });

  test("shows token by token what was learnt, else texts as they are", async () => {
    const { groups } = await keep([reflectionsTrace(1, "s"), attemptsTrace(2, "f")], {
      mostBytes: 1e6,
      decode: codePoints.decodeWithSpecials,
    });
    expect(groups[0]).toMatchObject({
      attempt: { text: "wrong", tokens: 5 },
      episodes: [
        {
          reflection: { pieces: [..."think 0"], logprobs: [-0.1, -0.2, -0.3, -0.4, -0.5, -0.6, -0.7] },
          retries: [{ retry: { text: "retry 0" }, verdict: { kind: "solved" } }],
          advantage: 1.5,
        },
      ],
    });
    expect(groups[1]).toMatchObject({ attempts: [{ retry: { pieces: [..."attempt 0"] }, advantage: -1 }] });
  });

  test("cuts a text without end and says by how much", async () => {
    const attempt = utterance("x".repeat(50_000));
    const { groups } = await keep([reflectionsTrace(1, "s", { attempt })], { mostBytes: 1e6 });
    expect(groups[0]).toMatchObject({
      attempt: { text: "x".repeat(20_000), omitted: 30_000, tokens: 50_000 },
    });
  });

  test("has nothing of a run without a step", async () => {
    expect(await keep([], { mostBytes: 1e6 })).toMatchObject({
      groups: [],
      steps: { shown: 0, all: 0 },
    });
  });
});
