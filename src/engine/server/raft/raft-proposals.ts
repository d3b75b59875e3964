/**
 * The proposals of this member, and those that others forwarded to it, on their way into
 * the log: appended here by a leader, forwarded to it by others, held while there is none.
 * Each of this member's own ends as an entry that is delivered, or with a rejection that
 * says whether it may still be stored.
 */

import type { LogIndex, Term } from "../../../base/brand.ts";
import { logIndex, term } from "../../../base/brand.ts";
import { compareNumber } from "../../../base/compare.ts";
import type { Fault } from "../../../core/domain/errors.ts";
import type { RaftNode } from "../../../core/raft/node-state.ts";
import type { Entry, MemberId, RaftEffect, RaftInput } from "../../../core/raft/raft-types.ts";
import type { ForwardedProposal, PeerFrame } from "../../../ports/peer-link.ts";
import { ForwardedOut, SeenForwards } from "./raft-forwards.ts";

/** Proposals in one write at most, and their bytes: bounds the time between two commits. */
const BATCH_COUNT_MAX = 4096;
const BATCH_BYTES_MAX = 8 << 20;
/** Bytes of proposals in one frame. */
const FRAME_BYTES_MAX = 1 << 20;

const NO_LEADER: Fault = {
  reason: "NO_QUORUM",
  message: "the servers have no leader at the moment, so the change was not stored",
  retryAfterMs: 500,
};
const SURELY_LOST: Fault = {
  reason: "NO_QUORUM",
  message: "the leader was lost before it had stored the change, which was dropped",
  retryAfterMs: 100,
};
const OUTCOME_UNKNOWN: Fault = {
  reason: "NO_QUORUM",
  message: "the leader was lost on the way, so it is not known whether the change was stored",
  next: "repeat it with the same idempotency key, which is safe",
  retryAfterMs: 500,
};
/** There is another leader: no need to wait. */
const OVERTAKEN: Fault = { ...OUTCOME_UNKNOWN, retryAfterMs: 50 };
const OVERLOADED: Fault = {
  reason: "OVERLOADED",
  message: "too many changes wait to be stored",
  retryAfterMs: 1000,
};

/** What the proposals need of their driver. */
export interface ProposalsHost {
  readonly node: RaftNode;
  readonly step: (input: RaftInput) => readonly RaftEffect[];
  readonly isLinked: (member: MemberId) => boolean;
  readonly send: (to: MemberId, frame: PeerFrame) => void;
  readonly reject: (proposals: readonly number[], cause: Fault) => void;
  /** Asks to be offered again soon. */
  readonly wake: () => void;
  /** Ticks that a proposal may wait for a leader, and for the news of what became of it. */
  readonly patience: number;
  /** Where the numbers of forwarded ones begin: elsewhere than those of an earlier process. */
  readonly firstNumber: number;
}

interface Waiting {
  /** Who forwarded it; undefined for one of this member. */
  readonly from: MemberId | undefined;
  /** The number of the one it comes from. */
  readonly proposal: number;
  readonly data: Uint8Array;
  /** In ticks. */
  readonly since: number;
}

/** In the log of this member, which led or leads. */
interface Appended {
  readonly proposal: number;
  readonly term: Term;
}

export class RaftProposals {
  readonly #host: ProposalsHost;
  #waiting: Waiting[] = [];
  /** In the log here, by index. */
  readonly #appended = new Map<LogIndex, Appended>();
  /** Since when this member does not lead any more, while #appended waits for news. */
  #leftOfficeAt: number | undefined;
  readonly #out: ForwardedOut;
  readonly #seen = new SeenForwards();
  /** Of the last entry that was handed on. */
  #deliveredTerm = term(0);
  /** The leader just said that it is not: not asked again before the next tick. */
  #isHeld = false;

  constructor(host: ProposalsHost) {
    this.#host = host;
    this.#out = new ForwardedOut(host.patience, host.firstNumber);
  }

  /** Takes turns as long as each moves some on: a leader that another is to follow moves none. */
  drain(turn: () => void): void {
    for (let before = Number.POSITIVE_INFINITY; this.#waiting.length < before; ) {
      before = this.#waiting.length;
      turn();
    }
  }

  propose(proposal: number, data: Uint8Array): void {
    this.#waiting.push({ from: undefined, proposal, data, since: this.#host.node.now });
  }

  /** Takes what another member forwarded. */
  onForward(from: MemberId, proposals: readonly ForwardedProposal[]): void {
    const since = this.#host.node.now;
    for (const { proposal, data } of proposals) {
      if (this.#seen.isNew(from, proposal)) this.#waiting.push({ from, proposal, data, since });
    }
  }

  /** `member` comes anew, and its numbers may begin again. */
  onIntroduced(member: MemberId): void {
    this.#seen.forget(member);
  }

  /** Moves on what can be moved on. */
  offer(): void {
    if (this.#waiting.length === 0) return;
    const { node, isLinked } = this.#host;
    const { role, leader } = node;
    if (role === "leader") {
      this.#append();
      return;
    }
    this.#sendBack(this.#takeForeign(), "not-leader");
    if (leader !== undefined && isLinked(leader) && !this.#isHeld) this.#forward(leader);
  }

  /** The leader, or its term, is another. */
  onLeader(): void {
    this.#isHeld = false;
    const { role, leader, now } = this.#host.node;
    this.#leftOfficeAt = role === "leader" ? undefined : (this.#leftOfficeAt ?? now);
    this.#out.orphan((to) => to !== leader, now);
  }

  /** What was forwarded to `member` may be lost. */
  onLost(member: MemberId): void {
    this.#out.cutOff(member, this.#host.node.now);
  }

  /** The member that was taken for the leader did not take these. */
  onForwardRejected(from: MemberId, numbers: readonly number[], reason: "not-leader" | "overloaded"): void {
    const back = this.#out.takeBack(from, numbers);
    if (reason === "overloaded") {
      this.#reject(back, OVERLOADED);
      return;
    }
    this.#isHeld = true;
    this.#waiting.unshift(...back.map((b): Waiting => ({ ...b, from: undefined })));
  }

  /** An entry is committed and handed on. */
  onDelivered(entry: Entry): void {
    const own = this.#appended.get(entry.index);
    if (own) {
      this.#appended.delete(entry.index);
      if (own.term !== entry.term) this.#reject([own], SURELY_LOST);
    }
    if (entry.kind === "command") this.#out.settle(entry.data);
    if (entry.term <= this.#deliveredTerm) return;
    this.#deliveredTerm = entry.term;
    this.#reject(this.#out.takeOvertaken(entry.term), OVERTAKEN);
  }

  /** The state jumped: what became of proposals up to `index` cannot be seen. */
  onSnapshot(index: LogIndex): void {
    for (const [at, own] of this.#appended) {
      if (at > index) continue;
      this.#appended.delete(at);
      this.#reject([own], OUTCOME_UNKNOWN);
    }
  }

  /** Time has passed: gives up what waited too long. */
  onTick(): void {
    this.#isHeld = false;
    const now = this.#host.node.now;
    const isLate = (w: Waiting): boolean => now - w.since >= this.#host.patience;
    if (this.#waiting.some(isLate)) {
      const late = this.#waiting.filter(isLate);
      this.#waiting = this.#waiting.filter((w) => !isLate(w));
      this.#sendBack(late, "not-leader");
      this.#reject(
        late.filter((w) => w.from === undefined),
        NO_LEADER,
      );
    }
    if (this.#leftOfficeAt !== undefined && now - this.#leftOfficeAt >= this.#host.patience) {
      this.#reject([...this.#appended.values()], OUTCOME_UNKNOWN);
      this.#appended.clear();
    }
    this.#reject(this.#out.takeLate(now), OUTCOME_UNKNOWN);
  }

  /** Rejects everything: nothing is taken or learnt any more. */
  end(cause: Fault): void {
    const own = this.#waiting.splice(0).filter((w) => w.from === undefined);
    const unknown = [...this.#appended.values(), ...this.#out.takeAll()];
    this.#appended.clear();
    this.#reject(
      [...own, ...unknown].toSorted((a, b) => compareNumber(a.proposal, b.proposal)),
      cause,
    );
  }

  #append(): void {
    const { node, step } = this.#host;
    const batch = this.#takeBatch();
    const own = batch.filter((w) => w.from === undefined);
    const first = node.log.lastIndex + 1;
    const refused = step({ kind: "propose", data: batch.map((w) => w.data) }).find((e) => e.kind === "reject");
    if (refused) this.#sendBack(batch, refused.reason);
    if (refused?.reason === "overloaded") this.#reject(own, OVERLOADED);
    if (refused?.reason === "not-leader") {
      // Another is to take over: they go to that one.
      this.#waiting.unshift(...own);
      return;
    }
    for (const [i, { from, proposal }] of batch.entries()) {
      if (!refused && from === undefined) this.#note(logIndex(first + i), { proposal, term: node.term });
    }
    if (this.#waiting.length > 0) this.#host.wake();
  }

  #note(index: LogIndex, own: Appended): void {
    // An earlier one at this index was dropped here, but may have survived elsewhere.
    const earlier = this.#appended.get(index);
    if (earlier) this.#reject([earlier], OUTCOME_UNKNOWN);
    this.#appended.set(index, own);
  }

  #takeBatch(): readonly Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const { data } of this.#waiting) {
      bytes += data.length;
      if (count === BATCH_COUNT_MAX || (count > 0 && bytes > BATCH_BYTES_MAX)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  #takeForeign(): readonly Waiting[] {
    const foreign = this.#waiting.filter((w) => w.from !== undefined);
    if (foreign.length > 0) this.#waiting = this.#waiting.filter((w) => w.from === undefined);
    return foreign;
  }

  #forward(to: MemberId): void {
    const { node } = this.#host;
    let frame: ForwardedProposal[] = [];
    let bytes = 0;
    const flush = (): void => {
      if (frame.length > 0) this.#host.send(to, { kind: "forward", proposals: frame });
      frame = [];
      bytes = 0;
    };
    for (const { proposal, data, since } of this.#waiting.splice(0)) {
      if (bytes + data.length > FRAME_BYTES_MAX) flush();
      frame.push({ proposal: this.#out.add({ proposal, data, since, to, term: node.term, sentAt: node.now }), data });
      bytes += data.length;
    }
    flush();
  }

  #sendBack(waiting: readonly Waiting[], reason: "not-leader" | "overloaded"): void {
    for (const from of new Set(waiting.map((w) => w.from))) {
      if (from === undefined) continue;
      const proposals = waiting.filter((w) => w.from === from).map((w) => w.proposal);
      this.#host.send(from, { kind: "forward-rejected", proposals, reason });
    }
  }

  #reject(proposals: readonly { readonly proposal: number }[], cause: Fault): void {
    if (proposals.length === 0) return;
    this.#host.reject(
      proposals.map((p) => p.proposal),
      cause,
    );
  }
}
