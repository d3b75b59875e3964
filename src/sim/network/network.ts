/**
 * The links between servers, one for each direction, as over TCP: they are dialled,
 * introduce both ends, break and are dialled again, by themselves. What travels over them
 * is lost, repeated, late, held back or cut off, as the faults say; but nothing of an
 * earlier link arrives once a later one is open. Paths are directed: one may work while
 * its way back does not.
 */
import type { Prng } from "../../base/prng.ts";
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { PeerAddress, PeerFrame, PeerIdentity, PeerLink, PeerLinkListener } from "../../ports/peer-link.ts";
import type { SimDisk } from "../disk/disk.ts";
import type { NetworkFaults } from "../faults.ts";
import type { Span } from "../world/chance.ts";
import { happens, pick, within } from "../world/chance.ts";
import type { SimProcess } from "../world/process.ts";
import type { World } from "../world/world.ts";
import { describeFrame } from "./frame-text.ts";

const BACK_OFF_MS = [20, 400] as const;
/** A link on which nothing is heard is given up after about this long. */
const SILENCE_MS = [1_000, 3_000] as const;
/** A process that dies closes its links; the other end notices. */
const RESET_MS = [1, 30] as const;

/** A link from one process to another. */
interface Link {
  readonly from: Host;
  readonly to: Host;
}

/** A member's process, as the network knows it. */
export interface Host {
  readonly id: MemberId;
  readonly process: SimProcess;
  readonly disk: SimDisk;
  readonly life: number;
  listener: PeerLinkListener;
  peers: readonly PeerAddress[];
}

/** Names a directed path between two places. */
export const pathOf = (from: string, to: string): string => `${from}>${to}`;

const nameOf = (id: MemberId): string => `s${id}`;
const linkPath = (from: MemberId, to: MemberId): string => pathOf(nameOf(from), nameOf(to));

/** All links, and the paths that everything else travels on. */
export class SimNetwork {
  readonly world: World;
  faults: NetworkFaults;
  readonly #random: Prng;
  readonly #hosts = new Map<MemberId, Host>();
  /** Those that are open, by their path. */
  readonly #links = new Map<string, Link>();
  /** The latest that was opened on each path. */
  readonly #latest = new Map<string, Link>();
  /** Paths whose link broke and whose sender has yet to notice. */
  readonly #closing = new Set<string>();
  readonly #dialling = new Set<string>();
  readonly #blocked = new Set<string>();
  readonly #clogged = new Map<string, number>();

  constructor(world: World, faults: NetworkFaults) {
    this.world = world;
    this.faults = faults;
    this.#random = world.random("network");
  }

  /** Returns the links of a member's process, which live as long as it. */
  linkOf(id: MemberId, process: SimProcess, disk: SimDisk): PeerLink {
    const host: Host = { id, process, disk, life: process.life, listener: NOBODY, peers: [] };
    return {
      start: async (listener) => {
        host.listener = listener;
        this.#hosts.set(id, host);
        this.#dialAll(host);
      },
      setPeers: (peers) => this.#setPeers(host, peers),
      send: (to, frame) => process.emit(() => this.#send(id, to, frame)),
      close: async () => {
        if (this.#hosts.get(id) === host) this.leave(id);
      },
    };
  }

  /** Returns the process that listens for a member at present. */
  hostOf(id: MemberId): Host | undefined {
    return this.#hosts.get(id);
  }

  /** A process has died: its links break. */
  leave(id: MemberId): void {
    this.#hosts.delete(id);
    for (const link of [...this.#links.values()]) {
      if (link.from.id === id || link.to.id === id) this.#break(link, RESET_MS);
    }
  }

  /** Cuts or mends a directed path. */
  block(path: string, isBlocked: boolean): void {
    if (isBlocked) this.#blocked.add(path);
    else this.#blocked.delete(path);
    if (!isBlocked) return;
    for (const link of this.#links.values()) {
      const [there, back] = [linkPath(link.from.id, link.to.id), linkPath(link.to.id, link.from.id)];
      if (path === there || path === back) this.#watchSilence(link);
    }
  }

  /** Holds back whatever travels on a path, for a while. */
  clog(path: string, ms: number): void {
    this.#clogged.set(path, this.world.now + ms);
  }

  isBlocked(path: string): boolean {
    return this.#blocked.has(path);
  }

  /** Mends everything. */
  heal(): void {
    this.#blocked.clear();
    this.#clogged.clear();
  }

  /** Breaks one link, if there is any. */
  cutOne(): void {
    const link = pick(this.#random, [...this.#links.values()]);
    if (link === undefined) return;
    this.world.log("-", "link-cut", linkPath(link.from.id, link.to.id));
    this.#break(link, [0, 50]);
  }

  /** Returns whether one member can send to another. */
  isLinked(from: MemberId, to: MemberId): boolean {
    return this.#links.has(linkPath(from, to));
  }

  /** Lets something travel from one place to another, or be lost. */
  travel(path: string, arrive: () => void): void {
    if (this.#blocked.has(path) || happens(this.#random, this.faults.lossRate)) return;
    this.world.after(this.#delayOn(path), () => {
      if (!this.#blocked.has(path)) arrive();
    });
  }

  #delayOn(path: string): number {
    const { delayMs, lateRate, lateMs } = this.faults;
    const delay = within(this.#random, happens(this.#random, lateRate) ? lateMs : delayMs);
    return Math.max(delay, (this.#clogged.get(path) ?? 0) - this.world.now);
  }

  #send(from: MemberId, to: MemberId, frame: PeerFrame): void {
    const path = linkPath(from, to);
    const link = this.#links.get(path);
    if (!link) return;
    const text = describeFrame(frame);
    const copies = happens(this.#random, this.faults.repeatRate) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      this.travel(path, () => {
        if (this.#hosts.get(to) !== link.to) return;
        link.to.process.receive(() => {
          if (this.#latest.get(path) !== link) return;
          this.world.log(nameOf(to), "receive", `${nameOf(from)} ${text}`);
          link.to.listener.onFrame(from, frame);
        });
      });
    }
  }

  #setPeers(host: Host, peers: readonly PeerAddress[]): void {
    host.peers = peers;
    for (const link of [...this.#links.values()]) {
      const other = link.from === host ? link.to : link.to === host ? link.from : undefined;
      if (other !== undefined && !peers.some(({ id }) => id === other.id)) this.#break(link, RESET_MS);
    }
    this.#dialAll(host);
  }

  #dialAll(host: Host): void {
    if (this.#hosts.get(host.id) !== host) return;
    for (const peer of host.peers) if (peer.id !== host.id) this.#dialLater(host, peer.id);
  }

  #dialLater(host: Host, to: MemberId): void {
    const dial = `${linkPath(host.id, to)}/${host.life}`;
    if (this.#dialling.has(dial)) return;
    this.#dialling.add(dial);
    this.world.after(within(this.#random, BACK_OFF_MS), () => {
      this.#dialling.delete(dial);
      if (this.#hosts.get(host.id) !== host || this.#links.has(linkPath(host.id, to))) return;
      if (!host.peers.some(({ id }) => id === to)) return;
      this.#dial(host, to);
      this.#dialLater(host, to);
    });
  }

  /**
   * Both ends judge each other before anything is sent; one that waits to join judges last,
   * so that it never adopts a cluster that refuses it.
   */
  #dial(from: Host, to: MemberId): void {
    const other = this.#hosts.get(to);
    if (!other || this.#closing.has(linkPath(from.id, to))) return;
    from.process.receive(() => {
      const caller = from.listener.identity();
      this.#say(from, other, () => {
        const called = other.listener.identity();
        const judgesLast = called.clusterId === "" && caller.clusterId !== "";
        if (!judgesLast && !this.#isAdmitted(other, caller)) return;
        this.#say(other, from, () => {
          if (!this.#isAdmitted(from, called)) return;
          if (!judgesLast) from.process.emit(() => this.#open(from, other));
          else this.#say(from, other, () => this.#isAdmitted(other, caller) && this.#open(from, other));
        });
      });
    });
  }

  /** Lets the next word of an introduction reach the other end. */
  #say(from: Host, to: Host, onHeard: () => void): void {
    from.process.emit(() =>
      this.travel(linkPath(from.id, to.id), () => {
        to.process.receive(() => {
          if (this.#hosts.get(to.id) === to && this.#hosts.get(from.id) === from) onHeard();
        });
      }),
    );
  }

  #isAdmitted({ id, listener }: Host, peer: PeerIdentity): boolean {
    const refusal = listener.admit(peer);
    if (refusal !== undefined) this.world.log(nameOf(id), "link-refused", `${nameOf(peer.memberId)} ${refusal}`);
    return refusal === undefined;
  }

  #open(from: Host, to: Host): void {
    const path = linkPath(from.id, to.id);
    if (this.#links.has(path) || this.#closing.has(path) || this.#hosts.get(to.id) !== to) return;
    const link: Link = { from, to };
    this.#links.set(path, link);
    this.#latest.set(path, link);
    this.world.log(nameOf(from.id), "link-open", nameOf(to.id));
    from.process.receive(() => from.listener.onConnected(to.id));
  }

  /** A path that stays cut for long ends the link. */
  #watchSilence(link: Link): void {
    const [there, back] = [linkPath(link.from.id, link.to.id), linkPath(link.to.id, link.from.id)];
    this.world.after(within(this.#random, SILENCE_MS), () => {
      const isSilent = this.#blocked.has(there) || this.#blocked.has(back);
      if (isSilent && this.#links.get(there) === link) this.#break(link, [0, 500]);
    });
  }

  #break(link: Link, noticedMs: Span): void {
    const { from, to } = link;
    const path = linkPath(from.id, to.id);
    if (this.#links.get(path) !== link) return;
    this.#links.delete(path);
    this.#closing.add(path);
    this.world.after(within(this.#random, noticedMs), () => {
      this.#closing.delete(path);
      if (this.#hosts.get(from.id) !== from) return;
      from.process.receive(() => {
        this.world.log(nameOf(from.id), "link-lost", nameOf(to.id));
        from.listener.onLost(to.id);
      });
      this.#dialAll(from);
    });
  }
}

/** Stands in until the member listens. */
const NOBODY: PeerLinkListener = {
  identity: () => ({ clusterId: "", memberId: 0, storeId: "" }),
  admit: () => "it does not listen yet",
  onFrame: () => {},
  onSnapshot: () => {},
  onConnected: () => {},
  onLost: () => {},
};
