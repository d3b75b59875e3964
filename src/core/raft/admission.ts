/**
 * Who may be linked with this member. A server whose data directory was emptied has
 * forgotten its votes and acknowledgements; it must not pass for the one that it was, so
 * a store that nobody knows yet is admitted only where it can do no harm:
 *
 *   - by a leader that holds its lease: its log holds whatever the earlier store helped to
 *     commit, and nobody else can be elected meanwhile;
 *   - by the founder, as long as its log ends with the entry that began the cluster and no
 *     other member has been sent anything: then nothing was ever acknowledged.
 *
 * A member that lags may know an earlier store, or no such member at all. It believes one
 * whose own log names its store in a later membership than any known here: an emptied
 * server's log names none, and whoever's log is so much longer votes for no one here.
 *
 * A member that waits to join has no log and nothing to judge by; it admits whoever
 * belongs to a cluster and judges again once it has a membership.
 */

import type { LogIndex } from "../../base/brand.ts";
import { findMember, isSoleVoter } from "./membership.ts";
import type { RaftNode } from "./node-state.ts";
import { membershipOf } from "./node-state.ts";
import type { MemberId, Membership } from "./raft-types.ts";

/** What a member says of itself when a link opens. */
export interface Introduction {
  /** Empty: it waits to join one. */
  readonly clusterId: string;
  readonly memberId: MemberId;
  readonly storeId: string;
  /** The membership in its own log that names this store; absent while none does. */
  readonly boundAt?: LogIndex;
}

/** What the one that judges knows. */
export interface AdmissionView {
  readonly self: Introduction;
  /** Those of which one is in force, the newest last; see possibleMemberships. */
  readonly memberships: readonly Membership[];
  /** Where the newest of them stands in the log. */
  readonly newestAt: LogIndex;
  /** As they were remembered at the first meeting. */
  readonly knownStores: ReadonlyMap<MemberId, string>;
  /** Whether a store that nobody knows yet may come in. */
  readonly meetsStrangers: boolean;
}

/** What is to be done with a member that introduces itself. */
export type Admission =
  | {
      readonly kind: "admit";
      /** Join the peer's cluster first. */
      readonly adopts: boolean;
      /** Remember the peer's store first. */
      readonly remembers: boolean;
    }
  | { readonly kind: "refuse"; readonly reason: string };

const refuse = (reason: string): Admission => ({ kind: "refuse", reason });

/** Returns whether `peer` may be linked with `self`. */
export function judgePeer(view: AdmissionView, peer: Introduction): Admission {
  const { self } = view;
  const { memberId: id } = peer;
  if (id === self.memberId) {
    return peer.storeId === self.storeId
      ? refuse("the address leads back to this server itself: correct quorum.peers")
      : refuse(`another server has this server's id ${id} too: correct quorum.node_id of one of them`);
  }
  if (self.clusterId === "" && peer.clusterId === "") {
    return refuse("neither server belongs to a cluster yet: start one of them with --bootstrap, once");
  }
  if (self.clusterId !== "" && peer.clusterId !== "" && self.clusterId !== peer.clusterId) {
    return refuse(
      `server ${id} belongs to cluster ${peer.clusterId}, this one to ${self.clusterId}: if one of the two was begun by mistake, empty its data directories and start it without --bootstrap`,
    );
  }
  const adopts = self.clusterId === "";
  const isWaiting = view.memberships.every((m) => m.members.length === 0);
  return isWaiting ? { kind: "admit", adopts, remembers: false } : judgeMember(view, peer, adopts);
}

function judgeMember(view: AdmissionView, peer: Introduction, adopts: boolean): Admission {
  const { memberId: id, storeId, boundAt = 0 } = peer;
  if (boundAt > view.newestAt) return { kind: "admit", adopts, remembers: false };
  const entries = view.memberships.flatMap((m) => findMember(m, id) ?? []);
  if (entries.length === 0) {
    const isDeparted = view.memberships.at(-1)?.departed.includes(id) === true;
    const what = isDeparted ? "was removed from this cluster" : "does not belong to this cluster";
    return refuse(`server ${id} ${what}: add it with: lattice admin raft add ${id}`);
  }
  const bound = entries.findLast((m) => m.storeId !== "")?.storeId;
  const known = bound ?? view.knownStores.get(id) ?? "";
  if (known === storeId) return { kind: "admit", adopts, remembers: false };
  if (known !== "") {
    return refuse(
      `server ${id} comes with another data directory (${storeId}) than it had (${known}): what it stored is gone, ` +
        `so remove it and add it again: lattice admin raft remove ${id}`,
    );
  }
  if (view.meetsStrangers) return { kind: "admit", adopts, remembers: true };
  return refuse(`server ${id} is not known here yet: the leader has to meet it first`);
}

/** Returns whether this member may admit a store that nobody knows yet. */
export function meetsStrangers(node: RaftNode): boolean {
  if (isFounding(node)) return true;
  if (node.role !== "leader") return false;
  return isSoleVoter(membershipOf(node), node.id) || (node.grantsLease && node.now < node.leaseUntil);
}

/** Returns whether the log on stable storage ends with the entry that begins a cluster: it names this member's store and no other. */
export function isFounding(node: RaftNode): boolean {
  const last = node.memberships.at(-1);
  if (!last || last.index !== node.durableIndex) return false;
  const { members } = last.membership;
  return members.some((m) => m.id === node.id) && members.every((m) => (m.id === node.id) === (m.storeId !== ""));
}
