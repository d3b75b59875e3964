/**
 * What people ask of the group and wait for: a change of the members, which ends with the
 * commit of its entry, and a transfer of leadership, which ends when the member leads.
 */
import type { LogIndex, Term } from "../../../base/brand.ts";
import type { Fault } from "../../../core/domain/errors.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { RaftNode } from "../../../core/raft/node-state.ts";
import type { Entry, MemberId, MembershipChange, RaftEffect, RaftInput } from "../../../core/raft/raft-types.ts";

/** A question that somebody waits for. */
export interface Asker {
  readonly resolve: () => void;
  readonly reject: (error: LatticeError) => void;
}

const UNKNOWN: Fault = {
  reason: "NO_QUORUM",
  message: "the leader was lost on the way, so it is not known whether the members were changed",
  next: "look at the members: lattice admin raft status",
  retryAfterMs: 500,
};

/** The leader refuses, or this is not the leader. */
const refusal = (isLeader: boolean, reason: string): LatticeError =>
  new LatticeError(fault(isLeader ? "ILLEGAL_TRANSITION" : "NOT_LEADER", reason));

interface Change extends Asker {
  readonly index: LogIndex;
  readonly term: Term;
}

export class RaftChanges {
  readonly #node: RaftNode;
  readonly #step: (input: RaftInput) => readonly RaftEffect[];
  readonly #patience: number;
  #changes: Change[] = [];
  #transfer: (Asker & { readonly to: MemberId; readonly term: Term }) | undefined;
  /** Since when this member does not lead any more, while changes wait for news. */
  #leftOfficeAt: number | undefined;

  /** `patience`: ticks to wait for news once this member does not lead any more. */
  constructor(node: RaftNode, step: (input: RaftInput) => readonly RaftEffect[], patience: number) {
    this.#node = node;
    this.#step = step;
    this.#patience = patience;
  }

  change(change: MembershipChange, asker: Asker): void {
    const refused = this.#step({ kind: "change-members", change }).find((effect) => effect.kind === "change-refused");
    if (refused) asker.reject(refusal(this.#node.role === "leader", refused.reason));
    else this.#changes.push({ ...asker, index: this.#node.log.lastIndex, term: this.#node.term });
  }

  transfer(to: MemberId, asker: Asker): void {
    if (this.#transfer) {
      asker.reject(refusal(true, "another transfer is under way"));
      return;
    }
    const ended = this.#step({ kind: "transfer", to }).find((effect) => effect.kind === "transfer-ended");
    if (ended?.reason !== undefined) asker.reject(refusal(this.#node.role === "leader", ended.reason));
    else this.#transfer = { ...asker, to, term: this.#node.term };
  }

  /** An entry is committed. */
  onDelivered({ index, term }: Entry): void {
    if (this.#changes.length === 0) return;
    const due = this.#changes.filter((change) => change.index <= index);
    this.#changes = this.#changes.filter((change) => change.index > index);
    for (const change of due) {
      if (change.index === index && change.term === term) change.resolve();
      else change.reject(new LatticeError(UNKNOWN));
    }
  }

  /** The core has given the transfer up. */
  onTransferFailed(reason: string): void {
    this.#transfer?.reject(refusal(true, reason));
    this.#transfer = undefined;
  }

  /** The leader, or its term, is another. */
  onLeader(): void {
    const { leader, now, role } = this.#node;
    const isSelf = role === "leader";
    this.#leftOfficeAt = isSelf ? undefined : (this.#leftOfficeAt ?? now);
    const transfer = this.#transfer;
    if (!transfer || leader === undefined || this.#node.term === transfer.term) return;
    this.#transfer = undefined;
    if (leader === transfer.to) transfer.resolve();
    else transfer.reject(refusal(true, `member ${leader} took over, not member ${transfer.to}`));
  }

  /** Time has passed: gives up what waited too long. */
  onTick(): void {
    const { now } = this.#node;
    if (this.#leftOfficeAt === undefined || now - this.#leftOfficeAt < this.#patience) return;
    for (const change of this.#changes.splice(0)) change.reject(new LatticeError(UNKNOWN));
    if (this.#transfer) this.onTransferFailed(`member ${this.#transfer.to} did not take over in time`);
  }

  end(cause: Fault): void {
    for (const { reject } of this.#changes.splice(0)) reject(new LatticeError(cause));
    this.#transfer?.reject(new LatticeError(cause));
    this.#transfer = undefined;
  }
}
