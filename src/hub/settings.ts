/** Where the hub and its cache are and who asks: the environment variables of Python's huggingface_hub, read alike. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

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

/** Reads the variables, and the token file where no variable names a token. */
export async function hubSettings(env: Environment): Promise<HubSettings> {
  const user = env.HOME || env.USERPROFILE || homedir();
  const expand = (path: string) => path.replace(/^~(?=$|[/\\])/, () => user);
  const home = expand(env.HF_HOME || join(env.XDG_CACHE_HOME || join(user, ".cache"), "huggingface"));
  const tokenFile = expand(env.HF_TOKEN_PATH || join(home, "token"));
  const token =
    env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || (await readFile(tokenFile, "utf8").catch(() => ""));
  return {
    endpoint: (env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, ""),
    cache: expand(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub")),
    token: token.trim() || undefined,
    offline: /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE || ""),
  };
}
