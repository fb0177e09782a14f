/**
 * Talks to the hub: which commit a revision is, what files it has, their bytes from any place on. The API is
 * @huggingface/hub's business; bytes are fetched here, because its downloads begin anew after an interruption.
 */
import { MulliganError } from "../core/errors.ts";
import { type HubReference, isCommit, repoPath } from "./reference.ts";
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
  /** The files of a folder, by default the top one, or with `recursive` all of the repository. */
  files(commit: string, listing?: { folder?: string; recursive?: boolean }): Promise<RemoteFile[]>;
  /** A file's bytes from `start`, or from 0 where the server does not know ranges. */
  open(
    commit: string,
    path: string,
    start: number,
  ): Promise<{ start: number; body: AsyncIterable<Uint8Array> }>;
}

/** Of a listing. Arbitrary: more would be slow to ask for. */
const MAX_FILES = 100_000;

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
  const { type, name } = reference;
  const { endpoint, token } = settings;
  const { listFiles, ...info } = await loadPackage(reference, load);

  const ask: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    if (token && url.origin === new URL(endpoint).origin) headers.set("authorization", `Bearer ${token}`);
    const response = await fetch(url, { ...init, headers, ...(signal && { signal }) }).catch((cause) => {
      signal?.throwIfAborted();
      throw unreachable(reference, settings, cause);
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
      throw cause instanceof MulliganError ? cause : senseless(reference, settings, cause);
    }
  };

  return {
    async commit() {
      const { revision } = reference;
      const question = { name, revision, hubUrl: endpoint, fetch: ask, additionalFields: ["sha" as const] };
      const { sha } = await understand<{ sha: string }>(
        type === "model" ? info.modelInfo(question) : info.datasetInfo(question),
      );
      if (isCommit(sha)) return sha;
      throw new MulliganError(
        "hub",
        `${type} "${name}": ${endpoint} must name the commit of "${revision}", got ${sha}`,
      );
    },
    async files(commit, { folder = "", recursive = false } = {}) {
      const repo = { type, name };
      const path = folder === "" || folder === "." ? {} : { path: folder };
      const entries = listFiles({ repo, revision: commit, recursive, hubUrl: endpoint, fetch: ask, ...path });
      const files: RemoteFile[] = [];
      for (;;) {
        const { done, value } = await understand(entries.next());
        if (done) return files;
        if (files.length === MAX_FILES) throw tooMany(reference);
        const { type: kind, path, size, oid, lfs } = value;
        if (kind === "file") files.push({ path, size, checksum: checkedSum(path, lfs?.oid ?? oid) });
      }
    },
    async open(commit, path, start) {
      const place = path.split("/").map(encodeURIComponent).join("/");
      const url = `${endpoint}/${repoPath(reference)}/resolve/${commit}/${place}`;
      const headers = { "accept-encoding": "identity", ...(start > 0 && { range: `bytes=${start}-` }) };
      const { status, body } = await ask(url, { headers });
      return { start: status === 206 ? start : 0, body: body ?? emptyBody() };
    },
  };
}

async function loadPackage(
  reference: HubReference,
  load: () => Promise<unknown> = () => import("@huggingface/hub"),
) {
  try {
    return (await load()) as Pick<
      typeof import("@huggingface/hub"),
      "listFiles" | "modelInfo" | "datasetInfo"
    >;
  } catch (cause) {
    throw notInstalled(reference, cause);
  }
}

function tooMany({ type, name }: HubReference): MulliganError {
  return new MulliganError("hub", `${type} "${name}": must have at most ${MAX_FILES} files, got more`, {
    hint: "name a file by its path",
  });
}

/** It becomes a file name. */
function checkedSum(path: string, checksum: unknown): string {
  if (typeof checksum === "string" && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(checksum)) return checksum;
  throw new MulliganError("hub", `${path}: must have a checksum in the hub's listing, got ${checksum}`);
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}
