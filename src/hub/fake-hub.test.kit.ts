/**
 * For tests: a server that plays the Hugging Face hub, with its error codes, its redirect of large files to another host,
 * and faults on demand.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export interface FakeRepo {
  /** By path. */
  files: Record<string, Buffer>;
  revisions?: Record<string, string>;
  gated?: boolean;
  /** The listing says this instead of the truth. */
  listing?: (entry: Record<string, unknown>) => Record<string, unknown>;
}

export interface Faults {
  /** Bytes after which the connection of a large file breaks, for as many answers as there are numbers. */
  cuts: number[];
  /** The first byte of every file is wrong. */
  corrupt: boolean;
  ignoreRange: boolean;
  /** Every answer of the API has this status. */
  status: number | undefined;
}

export interface FakeHub {
  endpoint: string;
  faults: Faults;
  /** "GET /path", with the range and "auth" where they were sent. */
  requests: string[];
  close(): Promise<void>;
}

export const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");
export const gitSum = (data: Buffer) =>
  createHash("sha1").update(`blob ${data.length}\0`).update(data).digest("hex");
export const isLarge = (path: string) => /\.(safetensors|parquet)$/.test(path);

/** Repositories by name: "organisation/name" of a model, "datasets/organisation/name" of a data set. */
export async function fakeHub(repos: Record<string, FakeRepo>): Promise<FakeHub> {
  const faults: Faults = { cuts: [], corrupt: false, ignoreRange: false, status: undefined };
  const requests: string[] = [];
  const note = ({ method, url, headers }: IncomingMessage, host: string) => {
    const extras = [headers.range, headers.authorization && "auth"].filter(Boolean);
    requests.push([`${method} ${host}${url?.split("?")[0]}`, ...extras].join(" "));
  };
  const deny = (response: ServerResponse, status: number, code = "", message = "") =>
    response.writeHead(status, { "x-error-code": code, "x-error-message": message }).end();

  const send = (request: IncomingMessage, response: ServerResponse, data: Buffer, cut?: number) => {
    const start = faults.ignoreRange
      ? 0
      : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const body = Buffer.from(data.subarray(start));
    if (faults.corrupt) body.fill(0, 0, 1);
    const range = { "content-range": `bytes ${start}-${data.length - 1}/${data.length}` };
    response.writeHead(start > 0 ? 206 : 200, { "content-length": body.length, ...(start > 0 && range) });
    if (cut === undefined) response.end(body);
    else response.write(body.subarray(0, cut), () => setTimeout(() => response.destroy(), 20));
  };

  // another origin, as the hub's content network is
  const content = await listen((request, response) => {
    note(request, "content");
    const [, name, path] = /^\/((?:datasets\/)?[^/]+\/[^/]+)\/(.+)$/.exec(decodeURIComponent(request.url!))!;
    send(request, response, repos[name!]!.files[path!]!, faults.cuts.shift());
  });

  const hub = await listen((request, response) => {
    note(request, "");
    const url = decodeURIComponent(request.url!.split("?")[0]!);
    const api =
      /^\/api\/(?:models|(?=datasets))\/?((?:datasets\/)?[^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(url);
    const file = /^\/((?:datasets\/)?[^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url);
    if (faults.status)
      return deny(response, faults.status, "", "Invalid credentials in Authorization header");
    const repo = repos[(api ?? file)![1]!];
    if (!repo) return deny(response, 401, "RepoNotFound");
    const { files, revisions = { main: COMMIT, [COMMIT]: COMMIT } } = repo;
    const [, commit, folder = ""] = (api?.[2] === "tree" && /^([^/]+)\/?(.*)$/.exec(api[3]!)) || [];
    const sha = revisions[(commit ?? (api ? api[3] : file![2]))!];
    if (!sha) return deny(response, 404, "RevisionNotFound");
    if (api?.[2] === "revision") return json(response, { _id: "1", id: api[1], sha });
    if (api) {
      const prefix = folder === "" ? "" : `${folder}/`;
      const isListed = ([path]: [string, Buffer]) =>
        path.startsWith(prefix) &&
        (request.url!.includes("recursive=true") || !path.slice(prefix.length).includes("/"));
      const entries = Object.entries(files)
        .filter(isListed)
        .map(([path, data]) => ({
          ...{ type: "file", path, size: data.length, oid: gitSum(data) },
          ...(isLarge(path) && { lfs: { oid: sha256(data), size: data.length, pointerSize: 134 } }),
        }));
      return json(
        response,
        entries.map((entry) => repo.listing?.(entry) ?? entry),
      );
    }
    if (repo.gated && !request.headers.authorization) return deny(response, 401, "GatedRepo");
    const [, name, , path] = file!;
    if (isLarge(path!)) {
      return response.writeHead(302, { location: `${content.origin}/${name}/${path}` }).end();
    }
    if (!files[path!]) return deny(response, 404, "EntryNotFound");
    return send(request, response, files[path!]!);
  });

  return {
    endpoint: hub.origin,
    faults,
    requests,
    async close() {
      await hub.close();
      await content.close();
    },
  };
}

function json(response: ServerResponse, value: unknown) {
  return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => unknown) {
  const server: Server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
