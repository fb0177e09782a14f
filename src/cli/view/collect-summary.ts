/** What was collected, for people: problems by difficulty, attempts by outcome and mistake, lengths. */
import { printable } from "../../core/printable.ts";
import type { CollectSummary, LengthSummary } from "../../evaluate/collect-summary.ts";
import { formatPercent } from "../../evaluate/index.ts";

/** Lines that end with a newline. */
export function renderCollectSummary(summary: CollectSummary): string {
  const { problems, attempts, failures, errors, lengths, unscored } = summary;
  const percent = (part: number, whole: number) => formatPercent(part / Math.max(1, whole));
  const share = (part: number) => `${part} (${percent(part, attempts.total)})`;
  const lines = [
    `problems   ${problems.total}: never solved ${problems.never}, sometimes ${problems.sometimes}, always ${problems.always}`,
    `attempts   ${attempts.total}: solved ${share(attempts.solved)}, failed ${share(attempts.failed)}, unscored ${share(attempts.unscored)}`,
    `failures   ${failures.distinct} kept, ${failures.repeated} more were the same as one of these`,
    ...errors.map(
      ({ errorClass, attempts: count, problems: some }) =>
        `  ${percent(count, attempts.failed).padStart(7)}  ${errorClass}, of ${some} problems`,
    ),
    ...Object.entries(lengths).flatMap(([name, length]) => (length ? [lengthLine(name, length)] : [])),
    ...unscored.map(({ cause, attempts: count }) => `unscored   ${count}: ${cause}`),
  ];
  return printable(`${lines.join("\n")}\n`);
}

function lengthLine(name: string, { mean, median, max, truncated }: LengthSummary): string {
  const cut = `${formatPercent(truncated)} cut at the limit`;
  return `tokens     of a ${name} attempt: mean ${mean.toFixed(1)}, median ${median}, most ${max}, ${cut}`;
}
