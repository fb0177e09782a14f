/** The failures of the test problems before and after training, as many as a page of bounded size can show. */
import type { Failure } from "../../core/episode.ts";
import type { Evaluation, FailureOutcome } from "../../evaluate/index.ts";
import type { PageFailure, PageOutcome } from "./page-data.ts";
import { pagePlain, pageText, pageVerdict } from "./page-text.ts";
import type { Decode, ReportTokenizer } from "./pieces.ts";

export interface KeptFailures {
  failures: PageFailure[];
  all: number;
}

/** In the order of the evaluation, both models' outcomes of a failure together. */
export function keepFailures(
  start: Evaluation,
  trained: Evaluation | undefined,
  { mostBytes, tokenizer }: { mostBytes: number; tokenizer?: ReportTokenizer | undefined },
): KeptFailures {
  const failures: PageFailure[] = [];
  let bytes = 0;
  for (const [i, outcome] of start.failures.entries()) {
    const failure = failureFrom(outcome, trained?.failures[i], tokenizer);
    bytes += Buffer.byteLength(JSON.stringify(failure));
    if (bytes > mostBytes) break;
    failures.push(failure);
  }
  return { failures, all: start.failures.length };
}

function failureFrom(
  start: FailureOutcome,
  trained: FailureOutcome | undefined,
  tokenizer: ReportTokenizer | undefined,
): PageFailure {
  const { failure } = start;
  const decode = tokenizer?.decodeWithSpecials;
  return {
    id: failure.id,
    question: pagePlain(questionOf(failure, tokenizer)),
    attempt: pageText(failure.attempt),
    verdict: pageVerdict(failure.verdict),
    start: outcomeFrom(start, decode),
    ...(trained && { trained: outcomeFrom(trained, decode) }),
  };
}

function outcomeFrom({ reflection, retry, verdict, leaks }: FailureOutcome, decode?: Decode): PageOutcome {
  return {
    reflection: pageText(reflection, decode),
    retry: pageText(retry),
    verdict: pageVerdict(verdict),
    ...(leaks !== undefined && { leaks }),
  };
}

/** Evaluations keep only the prompt's tokens. */
function questionOf({ problemId, conversation }: Failure, tokenizer: ReportTokenizer | undefined): string {
  const prompt = conversation.spans.find(({ part }) => part === "prompt");
  if (!prompt || !tokenizer) return `problem ${problemId}`;
  return tokenizer.decode(conversation.tokens.slice(prompt.start, prompt.end)).trim();
}
