/**
 * The PeerLink port over framed TCP (docs/decisions/0009). Each server dials every other
 * and sends on the connection that it dialled; on those that it accepted it only receives,
 * frames or a snapshot. It runs in the thread of the raft driver and never blocks it.
 */
import type { Socket } from "node:net";
import type { Prng } from "../../base/prng.ts";
import type { MemberId, SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { PeerAddress, PeerFrame, PeerLink, PeerLinkListener } from "../../ports/peer-link.ts";
import { DialBackOff } from "./back-off.ts";
import type { HandshakeOptions } from "./handshake.ts";
import { awaitIntroduction, HandshakeRefused } from "./handshake.ts";
import { OutgoingLink } from "./outgoing-link.ts";
import { ConnectionEnded, PeerConnection } from "./peer-connection.ts";
import type { ListenAddress, PeerListener, PeerTls } from "./peer-network.ts";
import { certificateDefect, dial, listen } from "./peer-network.ts";
import { decodePeerFrame } from "./peer-records.ts";
import { RefusalLog } from "./refusal-log.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";

/** What the links of one server need. */
export interface TcpPeerLinkOptions {
  readonly listen: ListenAddress;
  readonly clock: Clock;
  /** Spreads the dialling of several servers. */
  readonly random: Prng;
  readonly log: Logger;
  /** Absent: in the clear. */
  readonly tls?: PeerTls;
  /** Where a snapshot that has arrived is put. */
  readonly snapshotPath: (meta: SnapshotMeta) => string;
  /** More than this waiting for one server breaks the link with it; 64 MiB unless given. */
  readonly queueBytesMax?: number;
}

const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** Connections that have not introduced themselves yet. */
const STRANGERS_MAX = 64;

/** Returns the links of one server, not started yet. */
export const createTcpPeerLink = (options: TcpPeerLinkOptions): TcpPeerLink => new TcpPeerLink(options);

/** The links of one server. After `close` its listener is told nothing. */
export class TcpPeerLink implements PeerLink {
  readonly #options: TcpPeerLinkOptions;
  readonly #refusals: RefusalLog;
  readonly #snapshots: SnapshotReceiver;
  readonly #outgoing = new Map<MemberId, OutgoingLink>();
  /** The one accepted connection of each member that counts. */
  readonly #incoming = new Map<MemberId, PeerConnection>();
  readonly #accepted = new Set<PeerConnection>();
  #peers: ReadonlyMap<MemberId, PeerAddress> = new Map();
  #tls: PeerTls | undefined;
  #strangers = 0;
  #listener: PeerLinkListener | undefined;
  #server: PeerListener | undefined;

  constructor(options: TcpPeerLinkOptions) {
    this.#options = options;
    this.#tls = options.tls;
    this.#refusals = new RefusalLog(options.log);
    this.#snapshots = new SnapshotReceiver(options.snapshotPath);
  }

  /** The port that it listens on, which the system chose if port 0 was asked for. */
  get port(): number {
    return this.#server?.port ?? 0;
  }

  async start(listener: PeerLinkListener): Promise<void> {
    this.#server = await listen(this.#options.listen, this.#tls, (socket) => void this.#accept(socket));
    this.#listener = listener;
    this.#dialPeers();
  }

  /** Proves with other certificates who this server is, from the next connection on. Links that began with TLS keep to it. */
  useCertificates(tls: PeerTls): void {
    this.#tls = tls;
    this.#server?.useCertificates(tls);
  }

  setPeers(peers: readonly PeerAddress[]): void {
    this.#peers = new Map(peers.map((peer) => [peer.id, peer]));
    for (const [id, link] of this.#outgoing) {
      if (this.#peers.get(id)?.address === link.address) continue;
      link.close();
      this.#outgoing.delete(id);
    }
    for (const [id, connection] of this.#incoming) {
      if (!this.#peers.has(id)) connection.close("it is not among the peers any more");
    }
    this.#dialPeers();
  }

  send(to: MemberId, frame: PeerFrame): void {
    this.#outgoing.get(to)?.send(frame);
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    for (const link of this.#outgoing.values()) link.close();
    for (const connection of this.#accepted) connection.close("this server stops");
    this.#outgoing.clear();
    await this.#server?.close();
  }

  #dialPeers(): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    const { clock, random, log } = this.#options;
    for (const peer of this.#peers.values()) {
      if (this.#outgoing.has(peer.id) || peer.id === listener.identity().memberId) continue;
      const link = new OutgoingLink({
        peer,
        clock,
        log,
        backOff: new DialBackOff(random),
        handshake: this.#handshake(listener, () => undefined),
        dial: (address) => this.#connectionOn(dial(address, this.#tls)),
        onConnected: () => this.#listener?.onConnected(peer.id),
        onLost: () => this.#listener?.onLost(peer.id),
      });
      this.#outgoing.set(peer.id, link);
    }
  }

  async #accept(socket: Socket): Promise<void> {
    const listener = this.#listener;
    if (listener === undefined || this.#strangers >= STRANGERS_MAX) {
      socket.on("error", () => undefined);
      socket.destroy();
      return;
    }
    const from = socket.remoteAddress;
    const connection = this.#connectionOn(socket);
    this.#accepted.add(connection);
    connection.whenEnded(() => this.#accepted.delete(connection));
    this.#strangers += 1;
    try {
      const { peer, purpose } = await awaitIntroduction(connection, this.#handshake(listener, this.#callerDefect));
      this.#refusals.admitted(peer.memberId);
      if (purpose === "link") this.#receiveFrames(peer.memberId, connection);
      else void this.#receiveSnapshot(peer.memberId, connection);
    } catch (error) {
      if (error instanceof HandshakeRefused && error.peer !== undefined) {
        this.#refusals.refused(error.peer.memberId, error.message);
      } else if (error instanceof HandshakeRefused || error instanceof ConnectionEnded) {
        this.#options.log.debug("a stranger called", { from, reason: error.message });
      } else throw error;
    } finally {
      this.#strangers -= 1;
    }
  }

  #receiveFrames(from: MemberId, connection: PeerConnection): void {
    this.#incoming.get(from)?.close("the same server called again");
    this.#incoming.set(from, connection);
    connection.whenEnded((reason) => {
      if (this.#incoming.get(from) === connection) this.#incoming.delete(from);
      this.#options.log.debug("a server's call ended", { member: from, reason });
    });
    connection.deliver((frame) => {
      const decoded = decodePeerFrame(frame);
      if (decoded.ok) this.#listener?.onFrame(from, decoded.value);
      else connection.close(decoded.error);
    });
    this.#outgoing.get(from)?.hurry();
  }

  async #receiveSnapshot(from: MemberId, connection: PeerConnection): Promise<void> {
    const arrival = await this.#snapshots.receive(connection);
    if (arrival === undefined) return;
    connection.send("snapshot-stored");
    connection.finish("the snapshot has arrived");
    this.#listener?.onSnapshot(from, arrival.term, arrival.snapshot);
  }

  #connectionOn(socket: Socket): PeerConnection {
    const { clock, queueBytesMax = QUEUE_BYTES_MAX } = this.#options;
    return new PeerConnection(socket, { clock, queueBytesMax });
  }

  #handshake(self: PeerLinkListener, defectOf: HandshakeOptions["certificateDefect"]): HandshakeOptions {
    return { clock: this.#options.clock, self, certificateDefect: defectOf };
  }

  readonly #callerDefect = (connection: PeerConnection, caller: MemberId): string | undefined =>
    this.#tls && certificateDefect(connection.socket, this.#peers.get(caller)?.address);
}
