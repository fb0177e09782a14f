/** What `mulligan inspect` says when a run has no episode of the kind that was asked for: which ones it has. */
import type { EpisodeChoice, EpisodeTally } from "../../report/index.ts";

/** `ofStep`: of the step that was asked for, `all`: of the run. */
export function renderNoEpisodes(
  { step, outcome }: EpisodeChoice,
  { ofStep, all }: { ofStep: EpisodeTally; all: EpisodeTally },
): string {
  if (all.episodes === 0) return "no episodes: the run has traced no training step\n";
  if (step !== undefined && ofStep.episodes === 0) {
    const { firstStep, lastStep } = all;
    const which =
      firstStep === lastStep ? `all of step ${firstStep}` : `of steps ${firstStep} to ${lastStep}`;
    return `no episodes of step ${step}: there are ${all.episodes}, ${which}\n`;
  }
  const found = step === undefined ? all : ofStep;
  const of = step === undefined ? "" : ` of step ${step}`;
  const kinds = [...found.outcomes].map(([name, count]) => `${name} ${count}`).join(", ");
  return `no episodes${of} are ${outcome}: there are ${found.episodes}, by outcome ${kinds}\n`;
}
