/** What the hub's refusals mean to whoever asked for a model or a data set. */
import { MulliganError } from "../core/errors.ts";
import { type HubReference, repoPath } from "./reference.ts";
import type { HubSettings } from "./settings.ts";

/** The error for an answer that is not the file or list asked for. */
export function refusal(
  { status, headers }: Pick<Response, "status" | "headers">,
  reference: HubReference,
  { endpoint, token }: HubSettings,
): MulliganError {
  const { type, name, revision } = reference;
  const page = `${endpoint}/${repoPath(reference)}`;
  const code = headers.get("x-error-code");
  const refuse = (rule: string, hint: string) =>
    new MulliganError("hub", `${type} "${name}": ${rule}, got ${status} from ${endpoint}`, { hint });
  if (code === "RevisionNotFound") {
    return refuse(
      `must have the revision "${revision}"`,
      `its branches, tags and commits are at ${page}/tree/main`,
    );
  }
  if (status === 401 && token && /invalid credentials/i.test(headers.get("x-error-message") ?? "")) {
    return refuse("needs a valid token", "renew HF_TOKEN, or the token file that `hf auth login` wrote");
  }
  if (code === "GatedRepo" || status === 403) {
    const access = token ? "the token given may not read it" : "no token was given (HF_TOKEN)";
    return refuse(
      "is gated and must be opened to you",
      `accept its terms at ${page} and use a token that may read it; ${access}`,
    );
  }
  if (status === 404 || status === 401) {
    return refuse(
      type === "model"
        ? "must be a folder here, or a repository that may be read"
        : "must be a repository with this file, and one that may be read",
      "check the spelling; a private repository needs HF_TOKEN",
    );
  }
  if (status === 429) return refuse("must not be asked for so often", "wait a little, or set HF_TOKEN");
  return refuse("must be answered for", "try again later: what has been fetched is kept");
}

/** The error for no answer at all. */
export function unreachable(
  { type, name }: HubReference,
  { endpoint }: HubSettings,
  cause: unknown,
): MulliganError {
  const { code } = ((cause as Error).cause ?? cause) as { code?: unknown };
  const got = typeof code === "string" ? code : "no answer"; // a message might quote a header, and so the token
  return new MulliganError("hub", `${type} "${name}": ${endpoint} must be reached, got ${got}`, {
    hint: "check the network and HF_ENDPOINT; with HF_HUB_OFFLINE=1 all comes from the cache alone",
    cause,
  });
}

/** The error for an answer that is none of a hub's, such as a network's page to log in. */
export function senseless(
  { type, name }: HubReference,
  { endpoint }: HubSettings,
  cause: unknown,
): MulliganError {
  return new MulliganError(
    "hub",
    `${type} "${name}": ${endpoint} must answer as the Hugging Face hub does, got ${(cause as Error).message}`,
    { hint: "check HF_ENDPOINT, and whether the network asks to log in first", cause },
  );
}

export function notInstalled({ type }: HubReference, cause: unknown): MulliganError {
  return new MulliganError(
    "hub",
    `a ${type} from the hub needs the package @huggingface/hub, which is not there`,
    {
      hint: `npm install @huggingface/hub, or give a ${type === "model" ? "folder" : "file"}: \`hf download\` makes one`,
      cause,
    },
  );
}

/** Did the hub give no answer, rather than one that says no? */
export function isUnavailable(error: unknown): boolean {
  return error instanceof MulliganError && error.code === "hub" && error.cause !== undefined;
}
