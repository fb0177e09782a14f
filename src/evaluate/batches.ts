/** Work on a long list in batches, so that progress can be told between them. Results do not depend on the batches. */

export interface EvaluationProgress {
  /** What is being sampled, for people. */
  stage: string;
  done: number;
  total: number;
}

/** As many rows as one engine call takes. */
const itemsPerBatch = 256;

/** The results of all batches, in the order of the items. Progress is told before the first batch too, which may take long. */
export async function inBatches<Item, Result>(
  stage: string,
  items: readonly Item[],
  run: (batch: readonly Item[]) => Promise<readonly Result[]>,
  onProgress?: (progress: EvaluationProgress) => void,
): Promise<Result[]> {
  const results: Result[] = [];
  if (items.length > 0) onProgress?.({ stage, done: 0, total: items.length });
  for (let start = 0; start < items.length; start += itemsPerBatch) {
    results.push(...(await run(items.slice(start, start + itemsPerBatch))));
    onProgress?.({ stage, done: results.length, total: items.length });
  }
  return results;
}
