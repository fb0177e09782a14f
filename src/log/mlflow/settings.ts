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
  const url = /^https?:\/\//i.test(given) && URL.canParse(given) ? new URL(given) : undefined;
  if (!url) {
    // it may hold a password
    const got = given === "" ? "nothing" : `one that begins with "${/^[a-z]{0,12}:?/i.exec(given)?.[0]}"`;
    throw new MulliganError("config", `MLFLOW_TRACKING_URI: must be the address of a server, got ${got}`, {
      hint: "start one with `mlflow server`, then MLFLOW_TRACKING_URI=http://127.0.0.1:5000",
    });
  }
  const user = env.MLFLOW_TRACKING_USERNAME ?? decodeURIComponent(url.username);
  const password = env.MLFLOW_TRACKING_PASSWORD ?? decodeURIComponent(url.password);
  const token = env.MLFLOW_TRACKING_TOKEN?.trim();
  const basic = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const authorization = token ? `Bearer ${token}` : user === "" ? undefined : basic;
  return {
    uri: `${url.origin}${url.pathname.replace(/\/+$/, "")}`,
    experiment: env.MLFLOW_EXPERIMENT_NAME || "Default",
    headers: { "content-type": "application/json", ...(authorization !== undefined && { authorization }) },
  };
}
