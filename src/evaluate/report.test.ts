import { describe, expect, test } from "vitest";
import { compareEvaluations } from "./comparison.ts";
import { evaluationFrom } from "./fakes.test.kit.ts";
import { renderEvaluation, renderReport } from "./report.ts";

const start = evaluationFrom("sf", "sf", [{ rescue: "f", leaks: false, controls: "ffff" }]);
const trained = evaluationFrom("ss", "ss", [{ rescue: "s", leaks: false, controls: "fsff" }]);
const compare = () => compareEvaluations(start, trained, { seed: 3, bootstrap: 200 });

describe("renderReport", () => {
  test("writes two tables, how to read them, and what remakes them", () => {
    expect(renderReport(compare())).toBe(
      `The paper's four columns: 2 problems

                               start  trained   gain  95 % interval
-------------------------------------------------------------------
first try                     50.0 %  100.0 %  +50.0  [0.0, +100.0]
second try, after reflecting  50.0 %  100.0 %  +50.0  [0.0, +100.0]

The second try counts a problem solved at first, or by one retry after the model
reflected on its own failure. At the first try training won 1 problem and lost 0
(McNemar p = 1.000).

Rescue on the 1 failure of the starting model, and controls

                              start  trained    gain     95 % interval
----------------------------------------------------------------------
own reflection (rescue)       0.0 %  100.0 %  +100.0  [+100.0, +100.0]
… without a solution in it    0.0 %  100.0 %  +100.0  [+100.0, +100.0]
another problem's reflection  0.0 %  100.0 %  +100.0  [+100.0, +100.0]
filler of equal length        0.0 %    0.0 %     0.0        [0.0, 0.0]
retry without reflection      0.0 %    0.0 %     0.0        [0.0, 0.0]
fresh attempt                 0.0 %    0.0 %     0.0        [0.0, 0.0]
reflections with a solution   0.0 %    0.0 %     0.0        [0.0, 0.0]
reflections cut at the limit  0.0 %    0.0 %     0.0        [0.0, 0.0]
tokens in a reflection          3.0      3.0     0.0        [0.0, 0.0]

Both models retry the same failed attempts; where what a reflection says
matters, the first row gains more than the controls below it. Another problem's
reflections keep 100.0 % of the rescue gain [100.0, 100.0].

Task words; attempt / reflection / retry sampled at temperature 1, at most 8 / 6
/ 8 tokens. Evaluation seed 11; paired bootstrap, 200 resamples, seed 3.`,
    );
  });

  test("writes the same as Markdown", () => {
    const markdown = renderReport(compare(), "markdown");
    expect(markdown).toContain("**The paper's four columns: 2 problems**\n\n|  | start | trained |");
    expect(markdown).toContain("own failure. At the first try training won 1 problem");
    expect(markdown).toContain("| own reflection (rescue) | 0.0 % | 100.0 % | +100.0 | [+100.0, +100.0] |");
  });

  test("counts first tries by what was wrong, and reads them leniently, where the task says so", () => {
    const wrong = (errorClass: string, solvedLeniently: boolean) => ({ errorClass, solvedLeniently });
    const mistaken = (evaluation: typeof start, ...details: object[]) => ({
      ...evaluation,
      problems: evaluation.problems.map((problem, i) => ({ ...problem, ...details[i] })),
    });
    // of four first tries: before, two wrong values (one right leniently) and one without a call; after, one of each
    const before = mistaken(
      evaluationFrom("sfff", "sfff", [{ rescue: "f" }]),
      {},
      wrong("no_call", false),
      wrong("wrong_value", true),
      wrong("wrong_value", false),
    );
    const after = mistaken(
      evaluationFrom("ssff", "ssff", [{ rescue: "f" }]),
      {},
      {},
      wrong("no_call", false),
      wrong("wrong_value", false),
    );
    const report = renderReport(compareEvaluations(before, after, { seed: 3, bootstrap: 200 }));
    const rows = report.split("\n").map((line) => line.split(/ {2,}/).slice(0, 4).join(" | "));
    expect(rows).toContain("first try | 25.0 % | 50.0 % | +25.0");
    expect(rows).toContain("first try, read leniently | 50.0 % | 50.0 % | 0.0");
    const table = rows.slice(rows.indexOf("First tries by what was wrong"));
    expect(table.slice(4, 6)).toEqual([
      "wrong value | 50.0 % | 25.0 % | -25.0",
      "no call | 25.0 % | 25.0 % | 0.0",
    ]);
    expect(renderEvaluation(before, { seed: 3, bootstrap: 200 })).toMatch(/first try: wrong value +50\.0 %/);
  });

  test("names decoding that differs by part, and unscored answers", () => {
    const comparison = compare();
    const { attempt, reflection } = comparison.decoding;
    const report = renderReport({
      ...comparison,
      decoding: {
        attempt,
        reflection: { ...reflection, topP: 0.9, topK: 5 },
        retry: { ...attempt, temperature: 0 },
      },
      counts: { ...comparison.counts, unscored: { start: 2, trained: 0 } },
    });
    expect(report.replaceAll("\n", " ")).toContain(
      "sampled at temperature 1 / sampled at temperature 1, top-p 0.9, top-k 5 / greedy, at most",
    );
    expect(report.replaceAll("\n", " ")).toContain(
      "Left out as unscored: 2 answers of the start, 0 of the trained model.",
    );
  });
});
