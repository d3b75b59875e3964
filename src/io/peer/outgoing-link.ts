/**
 * The connection that this server dials to one other: what it sends to it goes here. Dials
 * until it is closed, waiting longer after each failure.
 */
import { LatticeError } from "../../core/domain/errors.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { PeerAddress, PeerFrame } from "../../ports/peer-link.ts";
import type { DialBackOff } from "./back-off.ts";
import type { HandshakeOptions } from "./handshake.ts";
import { HandshakeRefused, introduceTo } from "./handshake.ts";
import { ConnectionEnded, type PeerConnection } from "./peer-connection.ts";
import { encodePeerFrame } from "./peer-records.ts";

/** What a link works with. */
export interface OutgoingLinkOptions {
  readonly peer: PeerAddress;
  readonly clock: Clock;
  readonly backOff: DialBackOff;
  readonly handshake: HandshakeOptions;
  readonly onConnected: () => void;
  readonly onLost: () => void;
  readonly log: Logger;
  /** Begins to connect. */
  readonly dial: (address: string) => PeerConnection;
}

/** A link that held this long was a good one. */
const GOOD_AFTER_MS = 2_000;

/** The link to one server. */
export class OutgoingLink {
  readonly #options: OutgoingLinkOptions;
  #connection: PeerConnection | undefined;
  #isConnected = false;
  #cancelTimer: CancelTimer = () => undefined;
  #isWaiting = false;
  #isClosed = false;
  #lastFailure = "";
  /** Where it was dialled last. */
  #dialled = "";

  constructor(options: OutgoingLinkOptions) {
    this.#options = options;
    void this.#dial();
  }

  get address(): string {
    return this.#options.peer.address;
  }

  /** Sends, or drops when there is no link. */
  send(frame: PeerFrame): void {
    if (!this.#isConnected || this.#connection === undefined || this.#connection.isEnded) return;
    const { kind, payload } = encodePeerFrame(frame);
    this.#connection.send(kind, payload);
  }

  /** Dials at once if it only waits to: the other end has just shown that it is there. */
  hurry(): void {
    if (!this.#isWaiting) return;
    this.#cancelTimer();
    void this.#dial();
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.close("this server closed the link");
    // The loss is told before another link to the same member can be there.
    queueMicrotask(() => this.#lost(""));
  }

  async #dial(): Promise<void> {
    const { peer, dial, handshake } = this.#options;
    this.#isWaiting = false;
    let connection: PeerConnection;
    try {
      connection = dial(this.#nextAddress());
      this.#connection = connection;
      await introduceTo(connection, { to: peer.id, purpose: "link" }, handshake);
    } catch (error) {
      const isOrdinary = [HandshakeRefused, ConnectionEnded, LatticeError].some((kind) => error instanceof kind);
      if (!(error instanceof Error && isOrdinary)) throw error;
      this.#failed(error.message);
      return;
    }
    // What it sends beside pings has no meaning here.
    connection.deliver(() => undefined);
    connection.whenEnded((reason) => this.#lost(reason));
    if (!connection.isEnded) this.#connected();
  }

  /** Two failures in a row have tried both addresses. */
  #nextAddress(): string {
    const { address, alternate = address } = this.#options.peer;
    this.#dialled = this.#dialled === address ? alternate : address;
    return this.#dialled;
  }

  #connected(): void {
    const { peer, clock, backOff, onConnected, log } = this.#options;
    this.#isConnected = true;
    this.#cancelTimer = clock.after(GOOD_AFTER_MS, () => backOff.reset());
    this.#lastFailure = "";
    log.info("linked with a server", { member: peer.id, address: this.#dialled });
    onConnected();
  }

  #lost(reason: string): void {
    const { peer, onLost, log } = this.#options;
    this.#cancelTimer();
    this.#retryLater();
    if (!this.#isConnected) return;
    this.#isConnected = false;
    if (!this.#isClosed) log.warn("lost the link with a server", { member: peer.id, address: this.#dialled, reason });
    onLost();
  }

  /** Tells of a failure once when it changes, not once per attempt. */
  #failed(reason: string): void {
    const { peer, log } = this.#options;
    if (reason !== this.#lastFailure && !this.#isClosed) {
      log.warn("no link with a server", { member: peer.id, address: this.#dialled, reason });
    }
    this.#lastFailure = reason;
    this.#retryLater();
  }

  #retryLater(): void {
    this.#connection = undefined;
    if (this.#isClosed) return;
    const { clock, backOff } = this.#options;
    this.#isWaiting = true;
    this.#cancelTimer = clock.after(backOff.next(), () => void this.#dial());
  }
}
