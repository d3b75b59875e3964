/**
 * What a member knows, and the few changes of it that every part of the core makes:
 * writing, sending, changing role. Only the core changes a node; tests and the simulator
 * read it between steps.
 */
import { assert } from "../../base/assert.ts";
import type { LogIndex, Term } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import type { Prng } from "../../base/prng.ts";
import type { LogShape } from "./log.ts";
import { findMember, NO_MEMBERS } from "./membership.ts";
import type { Progress } from "./progress.ts";
import type {
  Entry,
  HardState,
  MemberId,
  Membership,
  MembershipAt,
  RaftEffect,
  RaftMessage,
  Role,
} from "./raft-types.ts";

/** Spans in ticks, and bounds. */
export interface RaftSettings {
  /** Shortest silence before an election; the longest is twice that. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Entries in one replicate effect. */
  readonly batchMax: number;
  /** Entries under way to one member. */
  readonly windowMax: number;
  /** Bytes of proposals that are not yet committed; more are rejected. */
  readonly uncommittedBytesMax: number;
}

/** Ticks of 10 ms: the defaults of the configuration. */
export const DEFAULT_SETTINGS: RaftSettings = {
  electionTicks: 50,
  heartbeatTicks: 10,
  batchMax: 4096,
  windowMax: 16_384,
  uncommittedBytesMax: 64 << 20,
};

/** What a persist ticket makes durable. */
export interface Write {
  readonly ticket: number;
  readonly term: Term;
  readonly lastIndex: LogIndex;
  /** End of the part of the log that the write left as it was. */
  readonly keptIndex: LogIndex;
  /** It also makes a new term or vote durable. */
  readonly isTerm: boolean;
}

/** A read that waits for a majority to confirm the leader. */
export interface PendingRead {
  readonly ticket: number;
  /** Undefined for a reader of this member. */
  readonly from: MemberId | undefined;
  readonly index: LogIndex;
  /** Confirmed by replies to heartbeats of this round or later. */
  readonly round: number;
}

/**
 * A member. Invariant INV-R1: what this member counts for itself is never more than
 * durableIndex <= log.lastIndex: nothing is committed by its count that it could lose.
 */
export interface RaftNode {
  readonly id: MemberId;
  readonly settings: RaftSettings;
  readonly random: Prng;
  role: Role;
  term: Term;
  votedFor: MemberId | undefined;
  leader: MemberId | undefined;
  commit: LogIndex;
  log: LogShape;
  /** The end of the log on stable storage. */
  durableIndex: LogIndex;
  /** 0, or the index up to which a damaged log must be filled again. */
  recoverUntil: LogIndex;
  /** The one at the compacted index first; the last is in force. */
  readonly memberships: MembershipAt[];
  /** Ticks since the member was made. */
  now: number;
  /** When it last heard the leader or granted a vote. */
  heardAt: number;
  /** Until when it may have confirmed a lease that it does not remember. */
  readonly graceUntil: number;
  /** Ticks of silence after which it campaigns. */
  timeout: number;
  readonly votes: Map<MemberId, boolean>;
  /** The ticket that makes a candidate's own vote durable. */
  campaignTicket: number;
  /** Of a leader: every other member. */
  readonly peers: Map<MemberId, Progress>;
  round: number;
  /** The tick at which each unconfirmed round was sent, oldest first. */
  readonly rounds: { readonly round: number; readonly at: number }[];
  /** Until when the lease holds, in ticks. */
  leaseUntil: number;
  /** Of a leader: whether confirmed rounds renew the lease; not after it asked another to take over. */
  grantsLease: boolean;
  /** First index of the leader's own term. */
  termStart: LogIndex;
  transferTo: MemberId | undefined;
  transferUntil: number;
  pendingReads: PendingRead[];
  /** Reads of this member that the leader was asked about, with the tick. */
  readonly askedReads: Map<number, number>;
  /** Bytes of the leader's proposals above the commit index, by the last index of each batch. */
  readonly uncommitted: { readonly last: LogIndex; readonly bytes: number }[];
  uncommittedBytes: number;
  /** What was accepted and is to be acknowledged once a ticket is durable is in the effects; this is the last one. */
  agreedIndex: LogIndex;
  /** Number of the last persist or install-snapshot effect. */
  ticket: number;
  /** Those that are not yet confirmed, oldest first. */
  readonly writes: Write[];
  /** Effects of the step under way. */
  out: RaftEffect[];
}

/** What a member is made from. */
export interface RaftNodeOptions {
  readonly id: MemberId;
  readonly hardState: HardState;
  readonly log: LogShape;
  /** The one at the compacted index, and those of the entries that follow. */
  readonly memberships: readonly MembershipAt[];
  readonly random: Prng;
  readonly settings?: RaftSettings;
}

/** Returns a member that holds what its store holds. It does nothing before the input `start`. */
export function createRaftNode(options: RaftNodeOptions): RaftNode {
  const { id, hardState, log, memberships, random, settings = DEFAULT_SETTINGS } = options;
  const node: RaftNode = {
    id,
    settings,
    random,
    role: "follower",
    term: hardState.term,
    votedFor: hardState.votedFor,
    leader: undefined,
    // What was compacted was committed, whatever the hard state remembers.
    commit: logIndex(Math.max(hardState.commit, log.compactedIndex)),
    log,
    durableIndex: log.lastIndex,
    recoverUntil: hardState.recoverUntil ?? logIndex(0),
    memberships: [...memberships],
    now: 0,
    heardAt: 0,
    // A member that restarts may have confirmed a lease just before: it honours it.
    graceUntil: hardState.term > 0 ? settings.electionTicks : 0,
    timeout: 0,
    votes: new Map(),
    campaignTicket: 0,
    peers: new Map(),
    round: 0,
    rounds: [],
    leaseUntil: 0,
    grantsLease: true,
    termStart: logIndex(0),
    transferTo: undefined,
    transferUntil: 0,
    pendingReads: [],
    askedReads: new Map(),
    uncommitted: [],
    uncommittedBytes: 0,
    agreedIndex: logIndex(0),
    ticket: 0,
    writes: [],
    out: [],
  };
  drawTimeout(node);
  node.role = idleRole(node);
  return node;
}

/** Returns the membership in force. */
export const membershipOf = (node: RaftNode): Membership => node.memberships.at(-1)?.membership ?? NO_MEMBERS;

/** Returns the last committed membership and those after it, any of which may turn out to be the one that stays. */
export function possibleMemberships({ memberships, commit }: RaftNode): readonly Membership[] {
  return memberships
    .filter((_, i) => (memberships[i + 1]?.index ?? Number.MAX_SAFE_INTEGER) > commit)
    .map((m) => m.membership);
}

/** Draws the silence after which this member campaigns: between one and two election spans (§5.2). */
export function drawTimeout(node: RaftNode): void {
  const { electionTicks } = node.settings;
  node.timeout = electionTicks + Math.floor(node.random() * electionTicks);
}

/** Emits a persist effect and returns its ticket. */
export function persist(node: RaftNode, entries: readonly Entry[] = [], truncateFrom?: LogIndex): number {
  const isTerm = entries.length === 0;
  const keptIndex = logIndex(truncateFrom === undefined ? node.log.lastIndex - entries.length : truncateFrom - 1);
  node.ticket += 1;
  node.writes.push({ ticket: node.ticket, term: node.term, lastIndex: node.log.lastIndex, keptIndex, isTerm });
  // The commit index rides along: it costs nothing in a write that happens anyway.
  node.out.push({ kind: "persist", ticket: node.ticket, hardState: hardStateOf(node), truncateFrom, entries });
  return node.ticket;
}

/** Emits a message that may leave once `after` is durable. */
export function send(
  node: RaftNode,
  to: MemberId,
  { message, after = 0 }: { message: RaftMessage; after?: number },
): void {
  node.out.push({ kind: "send", after, to, message });
}

/** Returns the ticket behind which everything decided so far is durable; 0 when it is already. */
export const pendingTicket = (node: RaftNode): number => (node.writes.length === 0 ? 0 : node.ticket);

/** Returns what must survive a crash besides the log. */
export const hardStateOf = (node: RaftNode): HardState => ({
  term: node.term,
  votedFor: node.votedFor,
  commit: node.commit,
  ...(node.recoverUntil > 0 && { recoverUntil: node.recoverUntil }),
});

/** Follows `leader` in `term`, or nobody yet; drops whatever belonged to another role. */
export function becomeFollower(node: RaftNode, newTerm: Term, leader: MemberId | undefined): void {
  assert(newTerm >= node.term, `the term cannot go back from ${node.term} to ${newTerm}`);
  const isNews = node.leader !== leader || newTerm !== node.term || node.role !== idleRole(node);
  if (newTerm > node.term) {
    node.term = newTerm;
    node.votedFor = undefined;
    node.agreedIndex = logIndex(0);
    persist(node);
  }
  if (node.role === "leader") leaveOffice(node);
  else if (isNews) drawTimeout(node);
  node.role = idleRole(node);
  node.leader = leader;
  if (isNews) announce(node);
}

/** Tells the driver role, term and leader. */
export function announce(node: RaftNode): void {
  if (node.transferTo !== undefined && node.role !== "leader") endTransfer(node, undefined);
  node.out.push({ kind: "role-changed", role: node.role, term: node.term, leader: node.leader });
}

/** Ends a transfer; without a reason when it succeeded. */
export function endTransfer(node: RaftNode, reason: string | undefined): void {
  node.transferTo = undefined;
  node.out.push({ kind: "transfer-ended", reason });
}

/** The role of a member that does not stand for election. */
export const idleRole = (node: RaftNode): Role =>
  findMember(membershipOf(node), node.id)?.isVoter === true ? "follower" : "learner";

function leaveOffice(node: RaftNode): void {
  for (const pending of node.pendingReads) {
    if (pending.from === undefined) node.out.push({ kind: "read-failed", ticket: pending.ticket, leader: undefined });
  }
  node.pendingReads = [];
  node.peers.clear();
  node.rounds.length = 0;
  node.leaseUntil = 0;
  node.uncommitted.length = 0;
  node.uncommittedBytes = 0;
  node.heardAt = node.now;
  drawTimeout(node);
}
