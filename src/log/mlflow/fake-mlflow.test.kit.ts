/** For tests: a server that answers as MLflow's REST API 2.0 does, checks what it is told as MLflow does, and fails on demand. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { KeyValue, MlflowMetric } from "./client.ts";

export interface FakeRun {
  experiment: string;
  name: string;
  status: string;
  ended: number | undefined;
  params: Record<string, string>;
  /** "name@step" to its values, as often as they were told. */
  metrics: Record<string, number[]>;
}

export interface FakeMlflow {
  uri: string;
  runs: Record<string, FakeRun>;
  experiments: Record<string, string>;
  /** "POST runs/create" and so on; with "Bearer x" or "Basic x" where it was sent. */
  requests: string[];
  /** For as many answers as there are entries: a status, no answer at all, or a broken connection. */
  faults: (number | "silence" | "hang up" | "login page")[];
  authorization: string | undefined;
  close(): Promise<void>;
}

const NAME = /^[/\w.\- ]*$/;

class Refusal extends Error {}

export async function fakeMlflow(): Promise<FakeMlflow> {
  const fake: Omit<FakeMlflow, "uri" | "close"> = {
    ...{ runs: {}, experiments: { Default: "0" }, requests: [], faults: [], authorization: undefined },
  };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url!, "http://x");
    const path = url.pathname.replace("/api/2.0/mlflow/", "");
    fake.requests.push([request.method, path, request.headers.authorization].filter(Boolean).join(" "));
    let text = "";
    for await (const chunk of request) text += chunk;
    const answer = (status: number, value: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const fault = fake.faults.shift();
    if (fault === "silence") return;
    if (fault === "hang up") return void request.socket.destroy();
    if (fault === "login page") return void response.writeHead(200).end("<html>log in</html>");
    if (fault !== undefined) return answer(fault, { error_code: "INTERNAL_ERROR", message: "secret things" });
    if (fake.authorization !== undefined && request.headers.authorization !== fake.authorization)
      return answer(401, {});
    try {
      answer(200, perform(fake, path, url.searchParams, text === "" ? {} : JSON.parse(text)));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const status = error.message === "RESOURCE_DOES_NOT_EXIST" ? 404 : 400;
      answer(status, { error_code: error.message, message: "no" });
    }
  };
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(fake, {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

interface Batch {
  run_id: string;
  params?: KeyValue[];
  metrics?: MlflowMetric[];
}

function perform(
  { experiments, runs }: Pick<FakeMlflow, "experiments" | "runs">,
  path: string,
  query: URLSearchParams,
  body: Record<string, unknown>,
): unknown {
  const must = (holds: boolean) => {
    if (!holds) throw new Refusal("INVALID_PARAMETER_VALUE");
  };
  const runOf = (id: unknown): FakeRun => {
    const run = runs[String(id)];
    if (!run) throw new Refusal("RESOURCE_DOES_NOT_EXIST");
    return run;
  };
  switch (path) {
    case "experiments/get-by-name": {
      const id = experiments[query.get("experiment_name")!];
      if (id === undefined) throw new Refusal("RESOURCE_DOES_NOT_EXIST");
      return { experiment: { experiment_id: id } };
    }
    case "experiments/create": {
      const id = String(Object.keys(experiments).length);
      experiments[String(body.name)] = id;
      return { experiment_id: id };
    }
    case "runs/create": {
      const id = `run${Object.keys(runs).length}`;
      const experiment = String(body.experiment_id);
      must(Object.values(experiments).includes(experiment) && typeof body.start_time === "number");
      const opened = { status: "RUNNING", ended: undefined, params: {}, metrics: {} };
      runs[id] = { experiment, name: String(body.run_name), ...opened };
      return { run: { info: { run_id: id } } };
    }
    case "runs/update": {
      const run = runOf(body.run_id);
      run.status = String(body.status);
      run.ended = body.end_time as number | undefined;
      return { run_info: {} };
    }
    case "runs/log-batch": {
      const { run_id, params = [], metrics = [] } = body as unknown as Batch;
      const run = runOf(run_id);
      must(params.length <= 100 && metrics.length <= 1000);
      must(new Set(params.map(({ key }) => key)).size === params.length);
      for (const { key, value } of params) {
        must(NAME.test(key) && key.length <= 250 && typeof value === "string" && value.length <= 500);
        must((run.params[key] ?? value) === value);
        run.params[key] = value;
      }
      for (const { key, value, timestamp, step } of metrics) {
        must(NAME.test(key) && key.length <= 250 && Number.isInteger(step) && timestamp > 0);
        must(typeof value === "number");
        const place = `${key}@${step}`;
        run.metrics[place] = [...(run.metrics[place] ?? []), value];
      }
      return {};
    }
    default:
      throw new Refusal("ENDPOINT_NOT_FOUND");
  }
}
