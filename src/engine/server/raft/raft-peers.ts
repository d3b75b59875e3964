/**
 * The other members as this one meets them: who is dialled, who is let in with which data
 * directory, when each was last heard, and which the leader has to bind to its store.
 */

import { assert } from "../../../base/assert.ts";
import type { LogIndex, Term } from "../../../base/brand.ts";
import { logIndex } from "../../../base/brand.ts";
import { compareNumber } from "../../../base/compare.ts";
import { judgePeer, meetsStrangers } from "../../../core/raft/admission.ts";
import { findMember, votersOf } from "../../../core/raft/membership.ts";
import type { RaftNode } from "../../../core/raft/node-state.ts";
import { membershipOf, possibleMemberships } from "../../../core/raft/node-state.ts";
import type { MemberId, MembershipChange, RaftEffect } from "../../../core/raft/raft-types.ts";
import type { LogStore } from "../../../ports/log-store.ts";
import type { PeerAddress, PeerIdentity, PeerLink } from "../../../ports/peer-link.ts";
import type { Contacts } from "./raft-status.ts";

/** What the peers need of their driver. */
export interface PeersHost {
  readonly node: RaftNode;
  readonly store: LogStore;
  readonly link: PeerLink;
  /** Whom to dial before there is a membership, and where else to find members later. */
  readonly seeds: readonly PeerAddress[];
  /** Where the others are to look for this member; undefined: where they do. */
  readonly address: string | undefined;
}

export class RaftPeers {
  readonly #host: PeersHost;
  /** How each introduced itself when it was let in last. */
  readonly #letIn = new Map<MemberId, PeerIdentity>();
  readonly #heardAt = new Map<MemberId, number>();
  /** The leader that was heard last, and its term. */
  #followed: { readonly leader: MemberId; readonly term: Term } | undefined;
  #silenceMaxMs = 0;
  /** Those that frames can be sent to. */
  readonly #linked = new Set<MemberId>();
  #dialled: readonly PeerAddress[] = [];
  /** Where the last committed membership stands. */
  #decidedAt: LogIndex | undefined;

  constructor(host: PeersHost) {
    this.#host = host;
  }

  /** What this member says of itself when a link opens. */
  identity(): PeerIdentity {
    const { node, store } = this.#host;
    const { memberId, storeId } = store.identity;
    const bound = node.memberships.findLast(({ membership }) => findMember(membership, memberId)?.storeId === storeId);
    const address = this.#host.address ?? findMember(membershipOf(node), memberId)?.address;
    return {
      ...store.identity,
      ...(address !== undefined && { address }),
      ...(bound && { boundAt: bound.index }),
    };
  }

  /** Judges who introduces itself and writes down what must be remembered. @throws LatticeError of the store. */
  admit(peer: PeerIdentity): string | undefined {
    const { node, store } = this.#host;
    const view = {
      self: store.identity,
      memberships: possibleMemberships(node),
      newestAt: this.#newestAt,
      knownStores: store.knownStores,
      meetsStrangers: meetsStrangers(node),
    };
    const verdict = judgePeer(view, peer);
    if (verdict.kind === "refuse") return verdict.reason;
    if (verdict.adopts) store.adopt(peer.clusterId);
    if (verdict.remembers) store.rememberStore(peer.memberId, peer.storeId);
    this.#letIn.set(peer.memberId, peer);
    // It may be found where nothing here says.
    if (this.#isAhead(peer)) this.update();
    return undefined;
  }

  /** Returns whether frames of this member are listened to. */
  isLetIn(member: MemberId): boolean {
    return this.#letIn.has(member);
  }

  onConnected(member: MemberId): void {
    this.#linked.add(member);
  }

  onLost(member: MemberId): void {
    this.#linked.delete(member);
  }

  isLinked(member: MemberId): boolean {
    return this.#linked.has(member);
  }

  /** Returns the voter that can take over from this leader soonest. */
  successor(): MemberId | undefined {
    const { node } = this.#host;
    if (node.role !== "leader") return undefined;
    const match = (id: MemberId): number => node.peers.get(id)?.match ?? 0;
    const others = votersOf(membershipOf(node)).filter((id) => id !== node.id && this.isLinked(id));
    return others.toSorted((a, b) => compareNumber(match(b), match(a)))[0];
  }

  heard(member: MemberId, now: number): void {
    const { leader, term } = this.#host.node;
    const before = this.#heardAt.get(member);
    this.#heardAt.set(member, now);
    if (member !== leader) return;
    const isSame = this.#followed?.leader === leader && this.#followed.term === term;
    if (isSame && before !== undefined) this.#silenceMaxMs = Math.max(this.#silenceMaxMs, now - before);
    else this.#followed = { leader, term };
  }

  /** When others were heard, as it is shown to people. */
  contacts(now: number): Contacts {
    return {
      lastContactMs: (id) => {
        const heard = this.#heardAt.get(id);
        return heard === undefined ? undefined : Math.max(0, Math.round(now - heard));
      },
      leaderSilenceMaxMs: this.#silenceMaxMs,
    };
  }

  addressOf(member: MemberId): string | undefined {
    return this.#dialled.find((peer) => peer.id === member)?.address;
  }

  /**
   * Dials whoever belongs to the cluster, as far as it is decided, and parts from whoever
   * came with another store than the one that its entry names.
   */
  update(): void {
    const { link } = this.#host;
    const wanted = this.#wanted();
    const strangers = [...this.#letIn.values()].filter((peer) => this.#isStranger(peer)).map((peer) => peer.memberId);
    for (const id of strangers) this.#letIn.delete(id);
    if (strangers.length > 0) link.setPeers(wanted.filter((peer) => !strangers.includes(peer.id)));
    if (strangers.length === 0 && isSame(wanted, this.#dialled)) return;
    this.#dialled = wanted;
    link.setPeers(wanted);
  }

  /** More is committed, perhaps a membership: others are decided upon. */
  onCommitted(): void {
    const { memberships, commit } = this.#host.node;
    const decidedAt = memberships.findLast((m) => m.index <= commit)?.index;
    if (decidedAt === this.#decidedAt) return;
    this.#decidedAt = decidedAt;
    this.forgetDeparted();
    this.update();
  }

  /** Forgets the first meeting with members whose removal is committed: under their id another may come. */
  forgetDeparted(): void {
    const { node, store } = this.#host;
    const memberships = possibleMemberships(node);
    for (const [id, storeId] of store.knownStores) {
      const isDeparted = memberships.every((m) => m.departed.includes(id));
      if (isDeparted && storeId !== "") store.rememberStore(id, "");
    }
  }

  /** A leader's duty, before anything that its members help to commit: their entries name their stores. */
  settleBindings(step: (change: MembershipChange) => readonly RaftEffect[]): void {
    for (let change = this.#nextBinding(); change; change = this.#nextBinding()) {
      const refused = step(change).some((effect) => effect.kind === "change-refused");
      assert(!refused, `the entry of member ${change.id} cannot be settled`);
    }
  }

  /** Returns what a leader owes next: to bind a member that has come, or itself, to its store; to say where it is. */
  #nextBinding(): MembershipChange | undefined {
    const { node, store, address } = this.#host;
    if (node.role !== "leader") return undefined;
    for (const { id, storeId, address: known } of membershipOf(node).members) {
      if (id === node.id && address !== undefined && known !== address) return { kind: "move", id, address };
      if (storeId !== "") continue;
      if (id === node.id) return { kind: "bind", id, storeId: store.identity.storeId };
      const come = this.#letIn.get(id)?.storeId;
      // One that was let in when another was meant by this id has not been remembered.
      if (come !== undefined && store.knownStores.get(id) === come) return { kind: "bind", id, storeId: come };
    }
    return undefined;
  }

  #wanted(): readonly PeerAddress[] {
    const { node, seeds } = this.#host;
    const wanted = new Map<MemberId, PeerAddress>();
    for (const { members } of possibleMemberships(node)) {
      for (const { id, address } of members) wanted.set(id, { id, address });
    }
    for (const seed of seeds) {
      const known = wanted.get(seed.id);
      if (known && known.address !== seed.address) wanted.set(seed.id, { ...known, alternate: seed.address });
    }
    if (wanted.size === 0) for (const seed of seeds) wanted.set(seed.id, seed);
    for (const peer of this.#letIn.values()) {
      const { memberId: id, address = "" } = peer;
      if (address !== "" && this.#isAhead(peer)) wanted.set(id, { id, address });
    }
    wanted.delete(node.id);
    return [...wanted.values()].toSorted((a, b) => compareNumber(a.id, b.id));
  }

  get #newestAt(): LogIndex {
    return this.#host.node.memberships.at(-1)?.index ?? logIndex(0);
  }

  /** Its log names it in a later membership than any that this member knows. */
  #isAhead({ boundAt = logIndex(0) }: PeerIdentity): boolean {
    return boundAt > this.#newestAt;
  }

  /** A member that waited let in whoever had a cluster; once it has a membership it judges again. @throws LatticeError of the store. */
  #isStranger(peer: PeerIdentity): boolean {
    const { node, store } = this.#host;
    const { memberId: id, storeId } = peer;
    const memberships = possibleMemberships(node);
    if (this.#isAhead(peer) || memberships.every((m) => m.members.length === 0)) return false;
    const entries = memberships.flatMap((m) => findMember(m, id) ?? []);
    if (entries.length === 0) return true;
    const bound = entries.findLast((m) => m.storeId !== "")?.storeId;
    const known = bound ?? store.knownStores.get(id) ?? "";
    if (known !== "" || id !== node.leader) return known !== storeId;
    // Whoever was elected is known to a majority; its own binding comes later in the log.
    store.rememberStore(id, storeId);
    return false;
  }
}

const isSame = (a: readonly PeerAddress[], b: readonly PeerAddress[]): boolean =>
  a.length === b.length && a.every((peer, i) => peer.id === b[i]?.id && peer.address === b[i]?.address);
