/** An episode of training as a person reads it in a terminal, in the form of `mulligan sample`. */
import { styleText } from "node:util";
import { printable } from "../../core/printable.ts";
import type { Verdict } from "../../core/task.ts";
import { describeVerdict, episodeLine, withNotes } from "../../evaluate/index.ts";
import type { TracedEpisode } from "../../report/index.ts";

type Style = Parameters<typeof styleText>[0];

/** Colour says what words say too: green for solved and for what was raised, red for failed and lowered. */
export function renderTraced({ trace, member }: TracedEpisode, isColoured: boolean): string {
  const paint = (style: Style | undefined, text: string) =>
    isColoured && style ? styleText(style, text, { validateStream: false }) : text;
  const verdictLine = (verdict: Verdict) =>
    paint(VERDICT_STYLES[verdict.kind], episodeLine("verdict", describeVerdict(verdict)));
  const spoken = (label: string, text: string, advantage?: number | null) =>
    paint(styleOf(advantage), episodeLine(label, text));
  const title = (id: string, size: number, advantage: number | null | undefined) =>
    paint(
      "bold",
      printable(
        [`step ${trace.step}`, id, `${member + 1} of ${size}`, STATES[trace.state], describe(advantage)]
          .filter((part) => part !== "")
          .join(", "),
      ),
    );
  if (trace.kind === "attempts") {
    const { attempt, verdict, advantage } = trace.attempts[member]!;
    return [
      title(trace.problemId, trace.attempts.length, advantage),
      episodeLine("task", trace.question),
      spoken("attempt", withNotes(attempt), advantage),
      verdictLine(verdict),
    ].join("\n");
  }
  const { reflection, retries, advantage, leaks } = trace.episodes[member]!;
  return [
    title(trace.failureId, trace.episodes.length, advantage ?? retries[0]?.advantage),
    episodeLine("task", trace.question),
    episodeLine("attempt", withNotes(trace.attempt)),
    verdictLine(trace.verdict),
    spoken("reflection", withNotes(reflection, leaks), advantage),
    ...retries.flatMap(({ utterance, verdict, advantage: own }) => [
      spoken("retry", withNotes(utterance), own),
      verdictLine(verdict),
    ]),
  ].join("\n");
}

const VERDICT_STYLES = { solved: "green", failed: "red", unscored: "yellow" } as const;

const STATES = {
  live: "live group",
  all_failed: "dead group (all failed)",
  all_passed: "dead group (all solved)",
  tied: "dead group (rewards tied)",
  unscored: "dead group (too few verdicts)",
};

function styleOf(advantage: number | null | undefined): Style | undefined {
  if (!advantage) return undefined;
  return advantage > 0 ? "green" : "red";
}

function describe(advantage: number | null | undefined): string {
  if (advantage === undefined) return "";
  if (advantage === null) return "took no part";
  return `advantage ${advantage > 0 ? "+" : ""}${advantage.toFixed(2)}`;
}
