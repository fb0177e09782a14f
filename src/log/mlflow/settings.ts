/** Where MLflow is and who asks: the environment variables of MLflow's own client. Credentials stay in headers. */
import { MulliganError } from "../../core/errors.ts";

export interface MlflowSettings {
  /** Without credentials, and without a slash at its end. */
  uri: string;
  experiment: string;
  headers: Readonly<Record<string, string>>;
}

/** Throws `MulliganError("config")` for what cannot be used. */
export function mlflowSettings(env: Readonly<Record<string, string | undefined>>): MlflowSettings {
  const given = env.MLFLOW_TRACKING_URI ?? "";
  const place = addressFrom(given);
  if (!place) {
    // it may hold a password
    const got = given === "" ? "nothing" : `one that begins with "${/^[a-z]{0,12}:?/i.exec(given)?.[0]}"`;
    throw new MulliganError("config", `MLFLOW_TRACKING_URI: must be the address of a server, got ${got}`, {
      hint: "start one with `mlflow server`, then MLFLOW_TRACKING_URI=http://127.0.0.1:5000",
    });
  }
  const secret = (name: string, text = "", allowed = /^\P{Cc}*$/u) => {
    if (allowed.test(text)) return text;
    throw new MulliganError("config", `${name}: must be one line of printable characters`);
  };
  const user = secret("MLFLOW_TRACKING_USERNAME", env.MLFLOW_TRACKING_USERNAME ?? place.user);
  const password = secret("MLFLOW_TRACKING_PASSWORD", env.MLFLOW_TRACKING_PASSWORD ?? place.password);
  // as it is in a header, whose error would quote it
  const token = secret("MLFLOW_TRACKING_TOKEN", env.MLFLOW_TRACKING_TOKEN?.trim(), /^[\x21-\x7e]*$/);
  const basic = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const authorization = token ? `Bearer ${token}` : user === "" ? undefined : basic;
  return {
    uri: place.uri,
    experiment: env.MLFLOW_EXPERIMENT_NAME || "Default",
    headers: { "content-type": "application/json", ...(authorization !== undefined && { authorization }) },
  };
}

/** Its parts; undefined for what is no address of a server. */
function addressFrom(given: string): { uri: string; user: string; password: string } | undefined {
  if (!/^https?:\/\//i.test(given) || !URL.canParse(given)) return undefined;
  const { origin, pathname, username, password } = new URL(given);
  try {
    return {
      uri: `${origin}${pathname.replace(/\/+$/, "")}`,
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
    };
  } catch {
    return undefined; // a percent sign that encodes nothing
  }
}
