/**
 * The gRPC port, and with TLS the REST port too: each connection says by its first bytes whether it speaks HTTP/2 or
 * HTTP/1.1 and is handed to the server of that version, in this process. RPCs of every
 * protocol go to the RPC handler, everything else to the fetch handler.
 */
import { createServer as createHttp1 } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import { createServer as createHttp2 } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { CertificateIdentity } from "../../core/access/certificate.ts";
import { addressError } from "../address-error.ts";
import { peerCertificate } from "../tls/peer-certificate.ts";
import type { DoorTls } from "./door.ts";
import { createDoor } from "./door.ts";
import type { HttpHandlers, Listener, ListenOptions } from "./handlers.ts";
import { bridge, type NodeRequest, type NodeResponse } from "./node-bridge.ts";

/** How every HTTP/2 connection begins (RFC 9113, section 3.4). */
const PREFACE = "PRI";
/** A connection must say something, and an HTTP/1.1 request send its head, within this time. */
const HEAD_TIMEOUT_MS = 30_000;
/** Silence between two requests of HTTP/1.1. */
const IDLE_TIMEOUT_MS = 120_000;
const STREAMS_MAX = 1_000;

/** Binds a port, with TLS where there are certificates. @throws INTERNAL naming an address that cannot be bound. */
export async function listenRpc(options: ListenOptions, handlers: HttpHandlers, tls?: DoorTls): Promise<Listener> {
  const answer = answering(handlers, tls !== undefined);
  const sockets = new Set<Socket>();
  /** Connections that wait for a request: silent ones, and those of HTTP/1.1 between two requests. */
  const idle = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const patience = new Patience();
  let isClosing = false;
  const http1 = createHttp1({ headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: 0 }, (request, response) => {
    const { socket } = request;
    idle.delete(socket);
    patience.end(socket);
    response.once("close", () => {
      if (isClosing) socket.end();
      if (isClosing || !sockets.has(socket)) return;
      idle.add(socket);
      patience.begin(socket, IDLE_TIMEOUT_MS);
    });
    answer(request, response);
  });
  const http2 = createHttp2({ settings: { maxConcurrentStreams: STREAMS_MAX } }, answer);
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => session.destroy());
  });
  const door = createDoor(tls, (socket) => {
    sockets.add(socket);
    idle.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      idle.delete(socket);
      patience.end(socket);
    });
    socket.on("error", () => socket.destroy());
    sniff(socket, (isHttp2) => {
      if (isHttp2) idle.delete(socket);
      else patience.begin(socket, HEAD_TIMEOUT_MS);
      (isHttp2 ? http2 : http1).emit("connection", socket);
    });
  });
  const port = await bind(door, options);
  return {
    port,
    async close(graceMs) {
      isClosing = true;
      const closed = new Promise<void>((resolve) => door.close(() => resolve()));
      for (const socket of idle) socket.destroy();
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Returns what answers a request, having told whose certificate it came with. */
const answering =
  (handlers: HttpHandlers, isSecure: boolean) =>
  (request: NodeRequest, response: NodeResponse): void => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const certificate = isSecure ? certificateOf(request) : undefined;
    const certify = (asked: object): void => {
      if (certificate !== undefined) handlers.certify(asked, certificate);
      handlers.locate(asked, addressOf(request));
    };
    if (handlers.isRpc(path)) {
      certify(request);
      handlers.rpc(request, response);
      return;
    }
    const fetch = (asked: Request) => {
      certify(asked);
      return handlers.fetch(asked);
    };
    void bridge(fetch, request, response);
  };

/** Hangs up on connections whose next request does not come. The time-outs of the HTTP server do nothing here. */
class Patience {
  readonly #timers = new Map<Socket, Timer>();

  begin(socket: Socket, ms: number): void {
    this.end(socket);
    this.#timers.set(
      socket,
      setTimeout(() => socket.destroy(), ms),
    );
  }

  end(socket: Socket): void {
    clearTimeout(this.#timers.get(socket));
    this.#timers.delete(socket);
  }
}

/** Reads no more than it takes to tell the versions apart, and puts it back. The socket is not paused: that breaks Bun's HTTP/2. */
function sniff(socket: Socket, decide: (isHttp2: boolean) => void): void {
  const silence = setTimeout(() => socket.destroy(), HEAD_TIMEOUT_MS);
  socket.once("close", () => clearTimeout(silence));
  let head: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const start = head.toString("latin1", 0, PREFACE.length);
    if (start.length < PREFACE.length && PREFACE.startsWith(start)) return;
    clearTimeout(silence);
    socket.off("data", onData);
    socket.unshift(head);
    decide(start === PREFACE);
  };
  socket.on("data", onData);
}

const addressOf = (request: NodeRequest): string => socketOf(request)?.remoteAddress ?? "";

const socketOf = (request: NodeRequest): Socket | TLSSocket | undefined =>
  "stream" in request ? request.stream.session?.socket : request.socket;

/** By connection, or session of HTTP/2: a certificate is read once, not with each request. */
const certificates = new WeakMap<object, { readonly certificate: CertificateIdentity | undefined }>();

function certificateOf(request: NodeRequest): CertificateIdentity | undefined {
  const session = "stream" in request ? request.stream.session : undefined;
  const holder = session ?? request.socket;
  const known = certificates.get(holder);
  if (known !== undefined) return known.certificate;
  const socket = session?.socket ?? request.socket;
  const certificate = isTls(socket) ? peerCertificate(socket) : undefined;
  certificates.set(holder, { certificate });
  return certificate;
}

/** The socket of a session is a proxy, in which `in` finds nothing. */
const isTls = (socket: Socket | TLSSocket): socket is TLSSocket =>
  typeof Reflect.get(socket, "getPeerCertificate") === "function";

function bind(door: ReturnType<typeof createDoor>, options: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    door.once("error", (error) => reject(addressError(options, error, options.setting)));
    door.listen(options.port, options.host, () => {
      const address = door.address();
      resolve(typeof address === "object" && address !== null ? address.port : options.port);
    });
  });
}
