/** A verifier behind HTTP: {"answer", "row"} is posted as JSON, the verdict comes back as JSON. */
import type { Verdict } from "../../core/task.ts";
import { MAX_ANSWER_LENGTH, verdictFromJson } from "../verdict.ts";
import { unscored, type VerifierLimits } from "./limits.ts";

export interface EndpointVerifier {
  /** http or https. */
  url: string;
  /** Sent with every request, for example an authorization. */
  headers?: Readonly<Record<string, string>>;
}

/** Redirects are not followed: they would send the row elsewhere. Never throws. */
export async function verifyByEndpoint(
  { url, headers }: EndpointVerifier,
  answer: string,
  row: unknown,
  { timeoutMs, maxOutputBytes, signal }: VerifierLimits & { signal?: AbortSignal },
): Promise<Verdict> {
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    stop();
  }, timeoutMs);
  signal?.addEventListener("abort", stop);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ answer: answer.slice(0, MAX_ANSWER_LENGTH), row }),
      redirect: "manual",
      signal: stopping.signal,
    });
    const text = await textOf(response, maxOutputBytes);
    if (text === undefined) return unscored(`sent back more than ${maxOutputBytes} bytes`);
    if (response.status >= 300 && response.status < 400) {
      return unscored(`redirects to ${response.headers.get("location")}: name that address itself`);
    }
    return response.ok ? verdictFromJson(text) : unscored(`answered with HTTP status ${response.status}`);
  } catch (error) {
    if (isLate) return unscored(`took longer than ${timeoutMs} ms`);
    if (signal?.aborted) return unscored("was closed");
    return unscored(`could not be reached: ${reasonOf(error)}`);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** Undefined when there is more than `maxBytes` of it. */
async function textOf({ body }: Response, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined; // leaving the loop ends the transfer
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** "fetch failed" says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : message;
}
