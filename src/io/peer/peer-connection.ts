/**
 * One framed connection between two servers, dialled or accepted. Both ends send at least
 * a ping a second and close what has been silent for three: a network that was cut closes
 * no connection by itself. Frames sent in one turn of the loop leave in one write.
 */
import type { Socket } from "node:net";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { Frame, FrameKind } from "./frames.ts";
import { encodeFrameHeader, FRAME_BYTES_MAX, FrameReader } from "./frames.ts";

/** Why a connection cannot be used any more. */
export class ConnectionEnded extends Error {
  override readonly name = "ConnectionEnded";
}

/** The reason when it was the other end. */
export const CLOSED_BY_OTHER = "the other end closed the connection";

/** What a connection works with. */
export interface ConnectionOptions {
  readonly clock: Clock;
  /** More than this unsent closes it. */
  readonly queueBytesMax: number;
}

const PING_MS = 1_000;
const SILENT_PINGS_MAX = 3;
/** The time that last words have to leave. */
const LINGER_MS = 1_000;
/** Arrived and not taken: beyond it the other end has to wait. */
const UNREAD_BYTES_MAX = 1024 * 1024;
const NOTHING = new Uint8Array();

/** A connection; it ends once, for one reason. */
export class PeerConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #reader = new FrameReader();
  readonly #cancelPing: CancelTimer;
  readonly #whenEnded = new Set<(reason: string) => void>();
  #onFrame: ((frame: Frame) => void) | undefined;
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #hasSent = false;
  #silentPings = 0;
  #isPaused = false;
  /** Set once it must not be used any more; the socket may still be closing. */
  #reason: string | undefined;
  #isGone = false;

  /** Takes over `socket`, which may still be connecting. */
  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error: Error) => this.close(failureText(error)));
    socket.on("end", () => this.close(CLOSED_BY_OTHER));
    socket.on("close", () => this.#gone());
    this.#cancelPing = options.clock.every(PING_MS, () => this.#ping());
  }

  /** Whether it must not be used any more. */
  get isEnded(): boolean {
    return this.#reason !== undefined;
  }

  /** The socket, for what only TLS knows. */
  get socket(): Socket {
    return this.#socket;
  }

  /** Bytes that the other end has not been sent yet. */
  get unsentBytes(): number {
    return this.#unsentBytes + this.#socket.writableLength;
  }

  /** Sends a frame, or drops it when the connection has ended; too much unsent ends it. */
  send(kind: FrameKind, payload: Uint8Array = NOTHING): void {
    if (this.#reason !== undefined) return;
    if (this.unsentBytes + payload.length > this.#options.queueBytesMax) {
      this.close(`more than ${this.#options.queueBytesMax} bytes wait to be sent`);
      return;
    }
    const header = encodeFrameHeader({ kind, payload });
    if (this.#unsent.length === 0) queueMicrotask(() => this.#flush());
    this.#unsent.push(header, payload);
    this.#unsentBytes += header.length + payload.length;
  }

  /** Resolves when the kernel has taken all that was sent, rejects with ConnectionEnded. */
  drained(): Promise<void> {
    this.#flush();
    if (this.#reason === undefined && this.#socket.writableLength === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const forget = this.whenEnded((reason) => reject(new ConnectionEnded(reason)));
      this.#socket.once("drain", () => {
        forget();
        resolve();
      });
    });
  }

  /** Takes the next frame, rejects with ConnectionEnded. What is not taken holds up the sender. */
  next(): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const forget = this.whenEnded((reason) => reject(new ConnectionEnded(reason)));
      this.#onFrame = (frame) => {
        forget();
        this.#onFrame = undefined;
        resolve(frame);
      };
      this.#pump();
    });
  }

  /** Hands every frame from here on to `onFrame`. */
  deliver(onFrame: (frame: Frame) => void): void {
    this.#onFrame = onFrame;
    this.#pump();
  }

  /** Lets the other end, now admitted, send long frames. */
  admit(): void {
    this.#reader.payloadBytesMax = FRAME_BYTES_MAX;
  }

  /** Calls back once when it has ended, never before this returns; what is returned takes that back. */
  whenEnded(callback: (reason: string) => void): () => void {
    this.#whenEnded.add(callback);
    if (this.#isGone) queueMicrotask(() => this.#tellEnded());
    return () => this.#whenEnded.delete(callback);
  }

  /** Ends it at once; the first reason counts. */
  close(reason: string): void {
    this.#reason ??= reason;
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#cancelPing();
    this.#socket.destroy();
  }

  /** Ends it once what was sent has left. */
  finish(reason: string): void {
    if (this.#reason !== undefined) return;
    this.#flush();
    this.#reason = reason;
    this.#cancelPing();
    this.#socket.end();
    this.#options.clock.after(LINGER_MS, () => this.#socket.destroy());
  }

  #receive(chunk: Buffer): void {
    this.#silentPings = 0;
    if (this.#reason !== undefined) return;
    this.#reader.push(chunk);
    this.#pump();
  }

  #pump(): void {
    while (this.#onFrame !== undefined && this.#reason === undefined) {
      const frame = this.#reader.next();
      if (!frame.ok) {
        this.close(frame.error);
        return;
      }
      if (frame.value === undefined) break;
      if (frame.value.kind !== "ping") this.#onFrame(frame.value);
    }
    const mustWait = this.#onFrame === undefined && this.#reader.length > UNREAD_BYTES_MAX;
    if (mustWait === this.#isPaused) return;
    this.#isPaused = mustWait;
    if (mustWait) this.#socket.pause();
    else this.#socket.resume();
  }

  #flush(): void {
    if (this.#unsent.length === 0) return;
    this.#socket.write(Buffer.concat(this.#unsent));
    this.#hasSent = true;
    this.#unsent = [];
    this.#unsentBytes = 0;
  }

  /** Counts pings and not time: a process that was stopped must not take its own silence for the other's. */
  #ping(): void {
    if (!this.#isPaused && this.#silentPings++ === SILENT_PINGS_MAX) {
      this.close(`silent for ${(SILENT_PINGS_MAX * PING_MS) / 1_000} s`);
      return;
    }
    if (!this.#hasSent) this.send("ping");
    this.#hasSent = false;
  }

  #gone(): void {
    if (this.#isGone) return;
    this.close("the connection was closed");
    this.#isGone = true;
    this.#tellEnded();
  }

  #tellEnded(): void {
    const callbacks = [...this.#whenEnded];
    this.#whenEnded.clear();
    for (const callback of callbacks) callback(this.#reason ?? "");
  }
}

const FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: CLOSED_BY_OTHER,
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to it",
  ENOTFOUND: "its host name is unknown",
  ETIMEDOUT: "it does not answer",
};

function failureText(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  return FAILURES[code] ?? (error.message || code);
}
