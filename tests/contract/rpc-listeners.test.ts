/** Shows how the two ports treat connections: versions told apart byte by byte, REST through both, ports that cannot be bound, and a stop that waits for what is in flight, but not for ever. */
import { afterEach, expect, test } from "bun:test";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import type { HttpHandlers, Listener } from "../../src/io/http/handlers.ts";
import { listenRest } from "../../src/io/http/rest-listener.ts";
import { listenRpc } from "../../src/io/http/rpc-listener.ts";

const HOST = "127.0.0.1";
/** A frame type of RFC 9113. */
const SETTINGS = 4;
const LISTENERS = {
  "the REST port": async (h: HttpHandlers) => listenRest({ host: HOST, port: 0 }, h),
  "the gRPC port": (h: HttpHandlers) => listenRpc({ host: HOST, port: 0 }, h),
};
const EACH = Object.entries(LISTENERS);

let listening: Listener[] = [];
afterEach(async () => {
  await Promise.all(listening.map((listener) => listener.close(0)));
  listening = [];
});

const handlers = (fetch: HttpHandlers["fetch"]): HttpHandlers => ({
  fetch,
  certify: () => {},
  locate: () => {},
  isRpc: (path) => path === "/rpc",
  rpc: (_, response) => {
    response.end("rpc");
  },
});

async function listen(make: (h: HttpHandlers) => Promise<Listener>, fetch: HttpHandlers["fetch"]): Promise<Listener> {
  const listener = await make(handlers(fetch));
  listening.push(listener);
  return listener;
}

const echo = async (request: Request) =>
  Response.json({
    method: request.method,
    url: request.url,
    body: await request.text(),
    x: request.headers.get("x-a"),
  });

/** Sends `parts` one after the other, each once the one before has gone out, and returns all that comes back. */
function rawExchange(port: number, parts: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket: Socket = connect(port, HOST);
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
    const sendFrom = (n: number): void => {
      if (n < parts.length) socket.write(parts[n] ?? "", () => setImmediate(() => sendFrom(n + 1)));
    };
    sendFrom(0);
  });
}

function http2Exchange(port: number, path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://${HOST}:${port}`);
    session.on("error", reject);
    const stream = session.request({ ":method": "POST", ":path": path, "x-a": "1" });
    let text = "";
    stream.on("data", (chunk) => {
      text += chunk;
    });
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      resolve(text);
    });
    stream.end(body);
  });
}

test.each(EACH)("%s answers HTTP/1.1 and HTTP/2 in cleartext alike", async (_, make) => {
  const { port } = await listen(make, echo);
  const first = await fetch(`http://${HOST}:${port}/a?b=c`, { method: "POST", body: "hello", headers: { "x-a": "1" } });
  const answer = await first.json();
  expect(answer).toMatchObject({ method: "POST", body: "hello", x: "1", url: `http://${HOST}:${port}/a?b=c` });
  expect(JSON.parse(await http2Exchange(port, "/a?b=c", "hello"))).toEqual(answer);
});

test("the gRPC port hands RPCs to the RPC handler, whatever their query, in both versions", async () => {
  const { port } = await listen(LISTENERS["the gRPC port"], echo);
  expect(await (await fetch(`http://${HOST}:${port}/rpc?x=1`)).text()).toBe("rpc");
  expect(await http2Exchange(port, "/rpc", "")).toBe("rpc");
});

test("the gRPC port tells versions apart whatever pieces they come in", async () => {
  const { port } = await listen(LISTENERS["the gRPC port"], echo);
  const http1 = [..."PUT /p HTTP/1.1\r\n", "Host: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", "o", "k"];
  expect(await rawExchange(port, http1)).toContain('"method":"PUT","url":"http://h/p","body":"ok"');
  const settings = "\0\0\0\x04\0\0\0\0\0";
  const goaway = "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
  const http2 = await rawExchange(port, [..."PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings, goaway]);
  const typeOfFirstFrame = http2.charCodeAt(3);
  expect(typeOfFirstFrame).toBe(SETTINGS);
});

test.each(EACH)("%s sends a stream as it comes, and ends it when its reader goes", async (_, make) => {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const { port } = await listen(make, () => {
    let n = 0;
    return new Response(
      new ReadableStream({
        pull(controller) {
          n += 1;
          if (n === 1) controller.enqueue(new TextEncoder().encode("first"));
          else return new Promise(() => {});
        },
        cancel: end,
      }),
    );
  });
  const gone = new AbortController();
  const answer = await fetch(`http://${HOST}:${port}/`, { signal: gone.signal });
  const chunk = await answer.body?.getReader().read();
  expect(new TextDecoder().decode(chunk?.value)).toBe("first");
  gone.abort();
  await ended;
});

test.each(EACH)("%s names an address that is taken, and one that the machine does not have", async (name, make) => {
  const { port } = await listen(make, echo);
  const bind = (options: { host: string; port: number }) =>
    Promise.resolve()
      .then(() => (name === "the REST port" ? listenRest(options, handlers(echo)) : listenRpc(options, handlers(echo))))
      .then(
        () => "bound",
        (error) => error.message,
      );
  expect(await bind({ host: HOST, port })).toBe(`${HOST}:${port} is in use by another process`);
  expect(await bind({ host: "192.0.2.1", port })).toContain("192.0.2.1");
});

test.each(EACH)("%s lets what is in flight end when it closes, and takes nothing new", async (_, make) => {
  let answerNow = () => {};
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const { port, close } = await make(
    handlers(() => {
      arrive();
      return new Promise((resolve) => {
        answerNow = () => resolve(new Response("late"));
      });
    }),
  );
  const pending = fetch(`http://${HOST}:${port}/`);
  await arrived;
  const closed = close(5_000);
  answerNow();
  expect(await (await pending).text()).toBe("late");
  await closed;
  expect(fetch(`http://${HOST}:${port}/`)).rejects.toThrow();
});

test.each(EACH)("%s cuts what does not end in time", async (_, make) => {
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const { port, close } = await make(
    handlers(() => {
      arrive();
      return new Promise(() => {});
    }),
  );
  const pending = fetch(`http://${HOST}:${port}/`).catch(() => "cut");
  await arrived;
  await close(20);
  expect(await pending).toBe("cut");
});

test.each(EACH)("%s closes at once when nobody asks for anything", async (_, make) => {
  const { port, close } = await make(handlers(echo));
  await (await fetch(`http://${HOST}:${port}/`)).text();
  const silent = connect(port, HOST);
  const session = connectHttp2(`http://${HOST}:${port}`);
  await Promise.all([once(silent, "connect"), once(session, "remoteSettings")]);
  await close(3_600_000);
});
