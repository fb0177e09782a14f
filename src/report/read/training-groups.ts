/**
 * The groups of training that a page of bounded size can show: of the first, the last and evenly spaced steps. Reads a
 * run's traces once, as a stream, and keeps no more of them than it is allowed to show.
 */
import type { RetryTrace, Trace } from "../../core/trace.ts";
import type { TraceRecord } from "../../store/traces.ts";
import { type Finding, findingOf } from "./damage.ts";
import type { PageEpisode, PageGroup, PageRetry } from "./page-data.ts";
import { pagePlain, pageText, pageVerdict } from "./page-text.ts";
import type { Decode } from "./pieces.ts";

export interface KeptGroups {
  groups: PageGroup[];
  /** Steps of which groups are shown, and those that there are. */
  steps: { shown: number; all: number };
  /** Groups of the steps shown. */
  groupsOfSteps: { shown: number; all: number };
}

interface Step {
  /** How many steps with traces came before. */
  place: number;
  groups: PageGroup[];
  all: number;
  bytes: number;
}

/** A step takes no more than this part of the room, so that there are always several. */
const STEP_SHARE = 1 / 4;

export interface KeepOptions {
  /** Of JSON. */
  mostBytes: number;
  /** Show token by token where something was learnt. */
  decode?: Decode | undefined;
  /** Told of a group that cannot be read; the others are shown. */
  onDamaged(finding: Finding): void;
}

/** Whatever of the traces fits. Only what may be kept is parsed. */
export async function keepGroups(
  records: AsyncIterable<TraceRecord>,
  { mostBytes, decode, onDamaged }: KeepOptions,
): Promise<KeptGroups> {
  const stepOptions = { mostBytes: STEP_SHARE * mostBytes, decode, onDamaged };
  let kept: Step[] = [];
  let last: readonly TraceRecord[] = [];
  let [places, stride] = [0, 1];
  for await (const records_P of stepsOf(records)) {
    last = records_P;
    if (places % stride === 0) kept.push(stepFrom(records_P, places, stepOptions));
    // every second one goes as often as needed: what stays is evenly spaced and begins with the first
    while (bytesOf(kept) > mostBytes - stepOptions.mostBytes) {
      stride *= 2;
      kept = kept.filter(({ place }) => place % stride === 0);
    }
    places++;
  }
  if (last.length > 0 && kept.at(-1)?.place !== places - 1) {
    kept.push(stepFrom(last, places - 1, stepOptions));
  }
  const count = (of: (step: Step) => number) => kept.reduce((sum, step) => sum + of(step), 0);
  return {
    groups: kept.flatMap(({ groups }) => groups),
    steps: { shown: kept.length, all: places },
    groupsOfSteps: { shown: count(({ groups }) => groups.length), all: count(({ all }) => all) },
  };
}

const bytesOf = (steps: readonly Step[]) => steps.reduce((sum, { bytes }) => sum + bytes, 0);

/** The groups of each step together; they lie one after the other. */
async function* stepsOf(records: AsyncIterable<TraceRecord>): AsyncGenerator<TraceRecord[]> {
  let records_P: TraceRecord[] = [];
  for await (const record of records) {
    if (records_P[0] && records_P[0].step !== record.step) {
      yield records_P;
      records_P = [];
    }
    records_P.push(record);
  }
  if (records_P.length > 0) yield records_P;
}

function stepFrom(
  records: readonly TraceRecord[],
  place: number,
  { mostBytes, decode, onDamaged }: KeepOptions,
): Step {
  const groups: PageGroup[] = [];
  let bytes = 0;
  for (const { step, parse } of records) {
    try {
      const group = groupFrom(parse(), decode);
      const more = Buffer.byteLength(JSON.stringify(group));
      if (bytes + more > mostBytes) continue;
      groups.push(group);
      bytes += more;
    } catch (error) {
      onDamaged(findingOf(error, step));
    }
  }
  return { place, groups, all: records.length, bytes };
}

function groupFrom(trace: Trace, decode: Decode | undefined): PageGroup {
  const { step, state } = trace;
  const shared = { step, state, question: pagePlain(trace.question) };
  if (trace.kind === "attempts") {
    const attempts = trace.attempts.map(({ attempt, ...rest }) =>
      retryFrom({ utterance: attempt, ...rest }, decode),
    );
    return { kind: "attempts", id: trace.problemId, ...shared, attempts };
  }
  return {
    kind: "reflections",
    id: trace.failureId,
    ...shared,
    attempt: pageText(trace.attempt),
    verdict: pageVerdict(trace.verdict),
    episodes: trace.episodes.map(
      ({ reflection, retries, reward, advantage, leaks }): PageEpisode => ({
        reflection: pageText(reflection, decode),
        retries: retries.map((retry) => retryFrom(retry, decode)),
        reward: rounded(reward),
        ...(advantage !== undefined && { advantage: rounded(advantage) }),
        ...(leaks !== undefined && { leaks }),
      }),
    ),
  };
}

function retryFrom({ utterance, verdict, advantage }: RetryTrace, decode: Decode | undefined): PageRetry {
  const isLearnt = advantage !== undefined;
  return {
    retry: pageText(utterance, isLearnt ? decode : undefined),
    verdict: pageVerdict(verdict),
    ...(isLearnt && { advantage: rounded(advantage) }),
  };
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1000) / 1000;
}
