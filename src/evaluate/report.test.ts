import { describe, expect, test } from "vitest";
import { compareEvaluations } from "./comparison.ts";
import { evaluationFrom } from "./fakes.test.kit.ts";
import { renderReport } from "./report.ts";

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
