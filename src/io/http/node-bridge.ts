/** Puts a fetch handler behind node's HTTP servers, both versions, so that one port can serve all. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** A request of either version of node's servers. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** Its response. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Headers that belong to one connection and have no meaning, or are forbidden, in another version of HTTP. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"]);

/** Answers a request with the fetch handler. */
export async function bridge(
  fetch: (request: Request) => Response | Promise<Response>,
  request: NodeRequest,
  response: NodeResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    await send(await fetch(toFetch(request, gone.signal)), response, gone.signal);
  } catch (error) {
    if (!gone.signal.aborted) response.destroy(error instanceof Error ? error : undefined);
  }
}

function toFetch(request: NodeRequest, signal: AbortSignal): Request {
  const method = request.method ?? "GET";
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    for (const one of [value].flat()) headers.append(name, one);
  }
  const host = headers.get("host") ?? String(request.headers[":authority"] ?? "localhost");
  const body = method === "GET" || method === "HEAD" ? null : bodyOf(request);
  return new Request(`http://${host}${request.url ?? "/"}`, { method, headers, body, signal });
}

function bodyOf(request: NodeRequest): ReadableStream<Uint8Array> {
  const chunks = request[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

async function send(answer: Response, response: NodeResponse, gone: AbortSignal): Promise<void> {
  response.statusCode = answer.status;
  for (const [name, value] of answer.headers) {
    if (!HOP_BY_HOP.has(name)) response.setHeader(name, value);
  }
  if (answer.body === null) {
    response.end();
    return;
  }
  const reader = answer.body.getReader();
  gone.addEventListener("abort", () => void reader.cancel().catch(() => {}), { once: true });
  for (;;) {
    const { done, value } = await reader.read();
    if (done || gone.aborted) break;
    if (!write(response, value)) await Promise.race([once(response, "drain"), once(response, "close")]);
  }
  response.end();
}

const write = (response: NodeResponse, chunk: Uint8Array): boolean =>
  "stream" in response ? response.write(chunk) : response.write(chunk);
