/**
 * A load generator that costs little: prebuilt requests over keep-alive HTTP/1.1 on plain
 * sockets, one at a time on each connection. It understands as much of a response as it
 * needs to tell where it ends and whether it succeeded.
 */
import type { Socket } from "node:net";
import { connect } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { connect as connectTls } from "node:tls";

/** Where and what to send, again and again. */
export interface HttpLoad {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** How connections are secured; absent: in clear text. */
  readonly tls?: ConnectionOptions;
  /** Is told how long each request took, in milliseconds. */
  readonly onDone?: (ms: number) => void;
}

/** Opens the connections, sends until `isOver` says so, and returns how many requests succeeded. */
export async function sendOverHttp(load: HttpLoad, connections: number, isOver: () => boolean): Promise<number> {
  const request = Buffer.from(requestText(load));
  const counts = await Promise.all(Array.from({ length: connections }, () => sendOnConnection(load, request, isOver)));
  return counts.reduce((sum, count) => sum + count, 0);
}

function requestText({ port, path, headers, body }: HttpLoad): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = `content-length: ${Buffer.byteLength(body)}\r\n`;
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines.join("")}${length}\r\n${body}`;
}

function sendOnConnection({ port, tls, onDone }: HttpLoad, request: Buffer, isOver: () => boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const to = { port, host: "127.0.0.1" };
    const socket: Socket = tls ? connectTls({ ...to, ...tls }) : connect({ ...to, noDelay: true });
    let done = 0;
    let sentAt = 0;
    const send = () => {
      sentAt = performance.now();
      socket.write(request);
    };
    let waiting: Buffer = Buffer.alloc(0);
    socket.on(tls ? "secureConnect" : "connect", send);
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed the connection")));
    socket.on("data", (chunk: Buffer) => {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
      if (!isComplete(waiting)) return;
      const status = waiting.toString("latin1", 9, 12);
      if (!status.startsWith("2")) reject(new Error(waiting.toString()));
      waiting = Buffer.alloc(0);
      done++;
      onDone?.(performance.now() - sentAt);
      if (isOver()) {
        socket.removeAllListeners("close");
        socket.destroy();
        resolve(done);
      } else {
        send();
      }
    });
  });
}

/** Whether the buffer holds a whole response, with a length or in chunks. */
function isComplete(response: Buffer): boolean {
  const end = response.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const head = response.toString("latin1", 0, end).toLowerCase();
  const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1];
  if (length !== undefined) return response.length >= end + 4 + Number(length);
  return response.subarray(-5).equals(LAST_CHUNK);
}

const LAST_CHUNK = Buffer.from("0\r\n\r\n");
