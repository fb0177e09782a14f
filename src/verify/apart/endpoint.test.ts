import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "./limits.ts";
import { openVerifier } from "./verifier.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

type Handler = (
  body: { answer: string; row: unknown },
  response: ServerResponse,
  request: IncomingMessage,
) => void;

async function serve(handler: Handler): Promise<string> {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    handler(JSON.parse(Buffer.concat(chunks).toString()), response, request);
  });
  await new Promise<void>((ready) => server!.listen(0, "127.0.0.1", ready));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/check`;
}

async function ask(url: string, answer = "yes", row: unknown = {}, changes = {}) {
  const limits = { ...DEFAULT_LIMITS, timeoutMs: 8000, maxOutputBytes: 10_000, ...changes };
  const verifier = await openVerifier({ url, headers: { authorization: "Bearer key" } }, limits, ".");
  try {
    return await verifier.verify(answer, row);
  } finally {
    await verifier.close();
  }
}

test("an endpoint is posted answer and row, with its headers, and sends a verdict back", async () => {
  const url = await serve(({ answer, row }, response, { method, headers }) => {
    const seen = [method, headers["content-type"], headers.authorization].join(" ");
    const verdict = answer === "4" ? true : { kind: "failed", feedback: `${seen} ${JSON.stringify(row)}` };
    response.end(JSON.stringify(verdict));
  });
  expect(await ask(url, "4")).toEqual({ kind: "solved" });
  expect(await ask(url, "5", { gold: 4, extra: ["x"] })).toEqual({
    kind: "failed",
    feedback: 'POST application/json Bearer key {"gold":4,"extra":["x"]}',
  });
});

describe("an answer is unscored when the endpoint", () => {
  test.each<[string, Handler, RegExp]>([
    [
      "fails",
      (_, response) => response.writeHead(500).end("true"),
      /^the verifier answered with HTTP status 500$/,
    ],
    [
      "redirects",
      (_, response) => response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
      /^the verifier redirects to http:\/\/127\.0\.0\.1:1\/: name that address itself$/,
    ],
    ["sends no JSON", (_, response) => response.end("<html>"), /must give a verdict as JSON, got "<html>"$/],
    ["sends nothing", (_, response) => response.end(), /must give a verdict as JSON, got ""$/],
    [
      "sends no verdict",
      (_, response) => response.end('{"score": 1}'),
      /^the verifier returned \{"score":1\}: expected/,
    ],
    ["is slow", () => {}, /^the verifier took longer than 400 ms$/],
    [
      "is slow in the middle",
      (_, response) => response.write("tr"),
      /^the verifier took longer than 400 ms$/,
    ],
    [
      "sends without end",
      (_, response) => {
        // a newer Node leaves `writable` true when the other side has gone
        const more = () => response.write("x".repeat(5000), (error) => !error && response.writable && more());
        more();
      },
      /^the verifier sent back more than 10000 bytes$/,
    ],
    [
      "hangs up",
      (_, response) => response.destroy(),
      /^the verifier could not be reached: (other side closed|UND_ERR_SOCKET)$/,
    ],
  ])("%s", async (_, handler, cause) => {
    const began = performance.now();
    const timeoutMs = String(cause).includes("400 ms") ? 400 : 8000;
    expect(await ask(await serve(handler), "yes", {}, { timeoutMs })).toEqual({
      kind: "unscored",
      cause: expect.stringMatching(cause),
    });
    expect(performance.now() - began).toBeLessThan(6000);
  });

  test("is not there", async () => {
    const url = await serve(() => {});
    server!.close();
    expect(await ask(url)).toEqual({
      kind: "unscored",
      cause: "the verifier could not be reached: ECONNREFUSED",
    });
  });

  test("cannot be sent the row", async () => {
    expect(await ask(await serve(() => {}), "yes", { n: 1n })).toMatchObject({
      kind: "unscored",
      cause: expect.stringMatching(/BigInt/),
    });
  });
});

test("closing ends what is under way", async () => {
  const verifier = await openVerifier({ url: await serve(() => {}) }, DEFAULT_LIMITS, ".");
  const verdict = verifier.verify("a", {});
  await new Promise((done) => setTimeout(done, 50));
  await verifier.close();
  expect(await verdict).toEqual({ kind: "unscored", cause: "the verifier was closed" });
});

test("as many answers are under way at once as there are workers", async () => {
  let [now, most] = [0, 0];
  const url = await serve((_, response) => {
    most = Math.max(most, ++now);
    setTimeout(() => {
      now--;
      response.end("true");
    }, 20);
  });
  const warnings: string[] = [];
  const onWarning = (warning: Error) => warnings.push(warning.message);
  process.on("warning", onWarning);
  const verifier = await openVerifier({ url }, { ...DEFAULT_LIMITS, workers: 12 }, ".");
  await Promise.all(Array.from({ length: 40 }, () => verifier.verify("a", {})));
  await verifier.close();
  process.off("warning", onWarning);
  expect([most, warnings]).toEqual([12, []]);
});
