/**
 * Talks to the hub: which commit a revision is, what files it has, their bytes from any place on. The API is
 * @huggingface/hub's business; bytes are fetched here, because its downloads begin anew after an interruption.
 */
import { MulliganError } from "../core/errors.ts";
import { type HubReference, isCommit } from "./reference.ts";
import { notInstalled, refusal, senseless, unreachable } from "./refusals.ts";
import type { HubSettings } from "./settings.ts";

export interface RemoteFile {
  path: string;
  /** In bytes. */
  size: number;
  /** SHA-256 of the content, or for small files git's SHA-1 of it as a blob; in hexadecimal. */
  checksum: string;
}

export interface HubClient {
  /** Throws `MulliganError("hub")`. */
  commit(): Promise<string>;
  /** The files at the top of the repository. */
  files(commit: string): Promise<RemoteFile[]>;
  /** A file's bytes from `start`, or from 0 where the server does not know ranges. */
  open(
    commit: string,
    path: string,
    start: number,
  ): Promise<{ start: number; body: AsyncIterable<Uint8Array> }>;
}

export interface ConnectOptions {
  signal?: AbortSignal | undefined;
  /** For tests. */
  load?: () => Promise<unknown>;
}

/** Throws `MulliganError("hub")` when the package is not installed. */
export async function connect(
  reference: HubReference,
  settings: HubSettings,
  { signal, load }: ConnectOptions,
): Promise<HubClient> {
  const { name } = reference;
  const { endpoint, token } = settings;
  const { listFiles, modelInfo } = await loadPackage(load);

  const ask: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    if (token && url.origin === new URL(endpoint).origin) headers.set("authorization", `Bearer ${token}`);
    const response = await fetch(url, { ...init, headers, ...(signal && { signal }) }).catch((cause) => {
      signal?.throwIfAborted();
      throw unreachable(settings, cause);
    });
    if (response.ok) return response;
    await response.body?.cancel();
    throw refusal(response, reference, settings);
  };

  const understand = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (cause) {
      signal?.throwIfAborted();
      throw cause instanceof MulliganError ? cause : senseless(settings, cause);
    }
  };

  return {
    async commit() {
      const { revision } = reference;
      const { sha } = await understand(
        modelInfo({ name, revision, additionalFields: ["sha"], hubUrl: endpoint, fetch: ask }),
      );
      if (isCommit(sha)) return sha;
      throw new MulliganError("hub", `${endpoint}: must name the commit of "${revision}", got ${sha}`);
    },
    async files(commit) {
      const repo = { type: "model", name } as const;
      const entries = listFiles({ repo, revision: commit, hubUrl: endpoint, fetch: ask });
      const files: RemoteFile[] = [];
      for (;;) {
        const { done, value } = await understand(entries.next());
        if (done) return files;
        const { type, path, size, oid, lfs } = value;
        if (type === "file") files.push({ path, size, checksum: checkedSum(path, lfs?.oid ?? oid) });
      }
    },
    async open(commit, path, start) {
      const url = `${endpoint}/${name}/resolve/${commit}/${encodeURIComponent(path)}`;
      const headers = { "accept-encoding": "identity", ...(start > 0 && { range: `bytes=${start}-` }) };
      const { status, body } = await ask(url, { headers });
      return { start: status === 206 ? start : 0, body: body ?? emptyBody() };
    },
  };
}

async function loadPackage(load: () => Promise<unknown> = () => import("@huggingface/hub")) {
  try {
    return (await load()) as Pick<typeof import("@huggingface/hub"), "listFiles" | "modelInfo">;
  } catch (cause) {
    throw notInstalled(cause);
  }
}

/** It becomes a file name. */
function checkedSum(path: string, checksum: unknown): string {
  if (typeof checksum === "string" && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(checksum)) return checksum;
  throw new MulliganError("hub", `${path}: must have a checksum in the hub's listing, got ${checksum}`);
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}
