/** What `mulligan inspect` says when a run has no episode of the kind that was asked for: which ones it has. */
import { EPISODE_OUTCOMES, type EpisodeChoice, type EpisodeTally } from "../../report/index.ts";

/** `ofStep`: of the step that was asked for, `all`: of the run. */
export function renderNoEpisodes(
  { step, outcome }: EpisodeChoice,
  { ofStep, all }: { ofStep: EpisodeTally; all: EpisodeTally },
): string {
  if (all.episodes === 0) return "no episodes: none stands in the run's traces.jsonl\n";
  if (step !== undefined && ofStep.episodes === 0) {
    const { firstStep, lastStep } = all;
    const which =
      firstStep === lastStep ? `all of step ${firstStep}` : `of steps ${firstStep} to ${lastStep}`;
    return `no episodes of step ${step}: there are ${all.episodes}, ${which}\n`;
  }
  const found = step === undefined ? all : ofStep;
  const of = step === undefined ? "" : ` of step ${step}`;
  const kinds = EPISODE_OUTCOMES.filter((name) => found.outcomes.has(name)).map(
    (name) => `${name} ${found.outcomes.get(name)}`,
  );
  return `no episodes${of} are ${outcome}: there are ${found.episodes}, by outcome ${kinds.join(", ")}\n`;
}
