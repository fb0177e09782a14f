/** How a repository on the Hugging Face hub is named: `organisation/name`, with `@revision` for a branch, tag or commit. */

export interface HubReference {
  type: "model" | "dataset";
  /** "Qwen/Qwen3-0.6B" */
  name: string;
  /** A branch, a tag or a commit; "main" where none was named. */
  revision: string;
}

const NAME = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
const REVISION = /^\w[\w.-]*(\/\w[\w.-]*)*$/;

/** What the name of a model says, or undefined for text that is none; whatever is returned is safe as part of a path. */
export function parseReference(text: string): HubReference | undefined {
  const [name = "", revision = "main", ...rest] = text.split("@");
  return rest.length === 0 ? safeReference("model", name, revision) : undefined;
}

/** Undefined unless both are names that the hub allows: they become parts of paths. */
export function safeReference(
  type: HubReference["type"],
  name: string,
  revision: string,
): HubReference | undefined {
  // the cache writes "/" as "--", so the hub allows neither "--" nor ".." in names
  const isName = NAME.test(name) && !/--|\.\./.test(name);
  const isRevision = REVISION.test(revision) && !revision.includes("..");
  return isName && isRevision ? { type, name, revision } : undefined;
}

/** Is this a whole commit id, which always means the same files? */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** The page of a repository: models have no prefix. */
export function repoPath({ type, name }: Pick<HubReference, "type" | "name">): string {
  return type === "model" ? name : `${type}s/${name}`;
}
