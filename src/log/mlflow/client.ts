/** MLflow's REST API, version 2.0: the few calls that a run needs. Each has a time limit; none is tried twice here. */
import { parseJson } from "../../core/json-file.ts";
import type { MlflowSettings } from "./settings.ts";

export interface MlflowMetric {
  key: string;
  value: number;
  /** Milliseconds since 1970. */
  timestamp: number;
  step: number;
}

export interface KeyValue {
  key: string;
  value: string;
}

export interface MlflowClient {
  /** The experiment's id; it is made where there is none. */
  experiment(name: string): Promise<string>;
  /** The new run's id. */
  createRun(experimentId: string, name: string, startTime: number): Promise<string>;
  logBatch(
    runId: string,
    batch: { metrics?: readonly MlflowMetric[]; params?: readonly KeyValue[] },
  ): Promise<void>;
  updateRun(
    runId: string,
    status: "RUNNING" | "FINISHED" | "FAILED" | "KILLED",
    endTime?: number,
  ): Promise<void>;
}

/** Says what went wrong in words that hold nothing secret. */
export class MlflowError extends Error {
  /** Will the same call fail again, whenever it is made? */
  readonly isFinal: boolean;
  /** The server's own name for it, such as RESOURCE_DOES_NOT_EXIST. */
  readonly code: string;

  constructor(message: string, isFinal: boolean, code = "") {
    super(message);
    this.isFinal = isFinal;
    this.code = code;
  }
}

/** Of a call, until its whole answer is there. Arbitrary. */
const CALL_MS = 10_000;
/** Arbitrary. */
const MAX_ANSWER_BYTES = 1_048_576;

export function createMlflowClient({ uri, headers }: MlflowSettings, signal: AbortSignal): MlflowClient {
  const call = async (path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]);
    let response: Response;
    let text: string;
    try {
      // a server elsewhere, which a redirect could lead to, must not see the credentials
      response = await fetch(`${uri}/api/2.0/mlflow/${path}`, {
        ...init,
        headers,
        signal: limit,
        redirect: "error",
      });
      text = await textOf(response);
    } catch (cause) {
      const { code } = ((cause as Error).cause ?? cause) as { code?: unknown };
      const got = typeof code === "string" ? code : "no answer"; // a message might quote a header
      throw new MlflowError(`${uri}: must be reached, got ${got}`, false);
    }
    const answer = objectFrom(text);
    if (response.ok && answer) return answer;
    throw refusal(uri, path, response.status, answer?.error_code);
  };
  const idIn = (value: unknown): string => {
    if (typeof value === "string" && /^[\w-]{1,256}$/.test(value)) return value;
    throw new MlflowError(`${uri}: must answer as MLflow does, got no id`, true);
  };
  return {
    async experiment(name) {
      try {
        const { experiment } = await call(
          `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`,
        );
        return idIn((experiment as { experiment_id?: unknown })?.experiment_id);
      } catch (error) {
        if (!isMissing(error)) throw error;
        return idIn((await call("experiments/create", { name })).experiment_id);
      }
    },
    async createRun(experimentId, name, startTime) {
      const wish = { experiment_id: experimentId, run_name: name, start_time: startTime };
      const { run } = await call("runs/create", wish);
      return idIn((run as { info?: { run_id?: unknown } })?.info?.run_id);
    },
    async logBatch(runId, batch) {
      await call("runs/log-batch", { run_id: runId, ...batch });
    },
    async updateRun(runId, status, endTime) {
      await call("runs/update", {
        run_id: runId,
        status,
        ...(endTime !== undefined && { end_time: endTime }),
      });
    },
  };
}

/** Does the server know of no such thing? */
export function isMissing(error: unknown): boolean {
  return error instanceof MlflowError && error.code === "RESOURCE_DOES_NOT_EXIST";
}

function refusal(uri: string, path: string, status: number, code: unknown): MlflowError {
  const name = typeof code === "string" && /^[A-Z_]{1,60}$/.test(code) ? code : "";
  const what = path.split("?")[0];
  const advice =
    status === 401 || status === 403
      ? "; set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD"
      : "";
  // a server that is too busy or restarting may be asked again; a page to log in stays what it is
  const isFinal = status < 500 && status !== 408 && status !== 429;
  const got = [status, name].filter(Boolean).join(" ");
  return new MlflowError(`${uri}: ${what} must be answered for, got ${got}${advice}`, isFinal, name);
}

/** MLflow's answers are short; more is none of its. */
async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new RangeError("an answer without end");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function objectFrom(text: string): Record<string, unknown> | undefined {
  try {
    const value = parseJson(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
