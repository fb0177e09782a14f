/** Are the texts that learn different, and whole? Bounds are chosen, as in checks.ts. */
import { check, type HealthSettings, percent, round, SOON } from "./check.ts";

/** Members of a group, beside the first, that say something new. */
const FEW_DISTINCT = 0.1;
const MANY_CUT = 0.5;
/** So many are not cut by a limit that is a little low. */
const NEARLY_ALL_CUT = 0.98;

export const diversityCollapse = check({
  kind: "diversity_collapse",
  excess(course, settings) {
    const ratio = course.mean("completions/distinct_ratio");
    if (ratio === undefined) return undefined;
    const least = 1 / groupSize(settings);
    return (FEW_DISTINCT * (1 - least)) / Math.max(0, ratio - least);
  },
  tell(course, settings) {
    const size = groupSize(settings);
    const distinct = round(course.mean("completions/distinct_ratio")! * size);
    return {
      message: `of ${size} ${spoken(settings)} in a group only ${distinct} differ on average: the same text gets different rewards by chance, and nothing is learnt from it`,
      hint: "raise --temperature, check --top-p and --top-k (1 and 0 are off), or lower --learning-rate if it came with training",
    };
  },
});

export const noEndToken = check({
  kind: "no_end_token",
  excess(course) {
    const cut = course.mean("completions/clipped_ratio", SOON);
    return cut === undefined ? undefined : cut / NEARLY_ALL_CUT;
  },
  tell: (course, settings) => ({
    message: `${percent(course.mean("completions/clipped_ratio", SOON)!)} of the ${spoken(settings)} never ended by themselves: the model does not write its end token`,
    hint: `is it an instruct model with its own chat template? if so it needs more room: ${limits(settings)}`,
  }),
});

export const truncated = check({
  kind: "truncated",
  coveredBy: "no_end_token",
  excess(course) {
    const cut = course.mean("completions/clipped_ratio", SOON);
    return cut === undefined ? undefined : cut / MANY_CUT;
  },
  tell: (course, settings) => ({
    message: `${percent(course.mean("completions/clipped_ratio", SOON)!)} of the ${spoken(settings)} were cut at their limit: what is rewarded is half a thought`,
    hint: `raise ${limits(settings)}, ask for something shorter, or leave cut ones out with --mask-truncated-completions`,
  }),
});

/** Completions that share a baseline. */
function groupSize({ learnFrom, numGenerations, retriesPerReflection }: HealthSettings): number {
  return learnFrom.includes("retry") ? numGenerations * retriesPerReflection : numGenerations;
}

/** What learns, in a sentence. */
function spoken({ learnFrom }: HealthSettings): string {
  return { reflection: "reflections", answer: "answers", retry: "retries", "reflection+retry": "episodes" }[
    learnFrom
  ];
}

function limits({ learnFrom, maxAttemptLength, maxCompletionLength }: HealthSettings): string {
  const reflection = learnFrom.startsWith("reflection")
    ? `--max-completion-length (${maxCompletionLength})`
    : "";
  const attempt = learnFrom === "reflection" ? "" : `--max-attempt-length (${maxAttemptLength})`;
  return [reflection, attempt].filter(Boolean).join(" and ");
}
