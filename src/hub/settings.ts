/** Where the hub and its cache are and who asks: the environment variables of Python's huggingface_hub, read alike. */
import { homedir } from "node:os";
import { join } from "node:path";
import { MulliganError } from "../core/errors.ts";
import { readTextFile } from "../core/json-file.ts";

export interface HubSettings {
  /** Without a slash at its end. */
  endpoint: string;
  /** Folder that holds models--organisation--name. */
  cache: string;
  token: string | undefined;
  /** Ask nobody, use the cache alone. */
  offline: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const HUGGING_FACE = "https://huggingface.co";

/** Reads the variables, and the token file where no variable names a token. Throws `MulliganError("hub")`. */
export async function hubSettings(env: Environment): Promise<HubSettings> {
  const user = env.HOME || env.USERPROFILE || homedir();
  const expand = (path: string) => path.replace(/^~(?=$|[/\\])/, () => user);
  const home = expand(env.HF_HOME || join(env.XDG_CACHE_HOME || join(user, ".cache"), "huggingface"));
  const tokenFile = expand(env.HF_TOKEN_PATH || join(home, "token"));
  const token = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || (await readTextFile(tokenFile).catch(() => ""));
  return {
    endpoint: endpointFrom(env.HF_ENDPOINT || HUGGING_FACE),
    cache: expand(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub")),
    token: requireToken(token.trim()) || undefined,
    offline: /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE || ""),
  };
}

/** A header takes no other, and the error of one that it does not take would quote the secret. */
function requireToken(token: string): string {
  if (/^[\x21-\x7e]*$/.test(token)) return token;
  throw new MulliganError("hub", "HF_TOKEN: must be one line of printable characters", {
    hint: "copy it again from the hub's settings; without HF_TOKEN the token file that `hf auth login` wrote is read",
  });
}

/** Without a slash at its end. It stands in messages: one with a password is refused, and not quoted. */
function endpointFrom(given: string): string {
  const url = /^https?:\/\//i.test(given) && URL.canParse(given) ? new URL(given) : undefined;
  if (url && !url.username && !url.password) return given.replace(/\/+$/, "");
  const rule = url ? "must hold no user name and no password" : "must be the address of a hub";
  throw new MulliganError("hub", `HF_ENDPOINT: ${rule}`, {
    hint: `such as ${HUGGING_FACE}; a token goes into HF_TOKEN`,
  });
}
