/**
 * One member of the cluster, as a state machine: `step` takes an input, changes the node
 * and returns what the driver must do. The node is owned by one driver, which calls
 * nothing else on it. A node here is the only voter of its cluster; elections, commits
 * and tickets are the general ones with a majority of one.
 * Sections cited are those of Ongaro and Ousterhout, "In Search of an Understandable
 * Consensus Algorithm (Extended Version)".
 */
import { assert, unreachable } from "../../base/assert.ts";
import type { LogIndex, Term } from "../../base/brand.ts";
import { logIndex, term } from "../../base/brand.ts";
import type { LogShape } from "./log.ts";
import { compactLog, extendLog, termAt } from "./log.ts";
import type { Entry, EntryKind, HardState, MemberId, RaftEffect, RaftInput, Role } from "./raft-types.ts";

const NO_DATA = new Uint8Array();

/** What a persist ticket makes durable. */
interface Write {
  readonly ticket: number;
  readonly term: Term;
  readonly lastIndex: LogIndex;
}

/**
 * A member. Invariant INV-R1: commit <= durableIndex <= log.lastIndex: nothing is
 * committed that this member could lose.
 */
export interface RaftNode {
  readonly id: MemberId;
  role: Role;
  term: Term;
  votedFor: MemberId | undefined;
  leader: MemberId | undefined;
  commit: LogIndex;
  log: LogShape;
  /** The end of the log on stable storage. */
  durableIndex: LogIndex;
  /** Number of the last persist effect. */
  ticket: number;
  /** Persist effects that are not yet confirmed, oldest first. */
  readonly writes: Write[];
}

/** Returns a member that holds what its store holds. It does nothing before the input `start`. */
export function createRaftNode(id: MemberId, hardState: HardState, log: LogShape): RaftNode {
  return {
    id,
    role: "follower",
    term: hardState.term,
    votedFor: hardState.votedFor,
    leader: undefined,
    // What was compacted was committed, whatever the hard state remembers.
    commit: logIndex(Math.max(hardState.commit, log.compactedIndex)),
    log,
    durableIndex: log.lastIndex,
    ticket: 0,
    writes: [],
  };
}

/** Advances `node` by one input and returns what must be done, in order. */
export function step(node: RaftNode, input: RaftInput): readonly RaftEffect[] {
  switch (input.kind) {
    case "start":
      return campaign(node);
    case "propose":
      return propose(node, input.data);
    case "persisted":
      return onPersisted(node, input.ticket);
    case "compact":
      return compact(node, input.index);
    case "tick":
    case "receive":
      // The only voter has nobody to lose and nobody to hear.
      return [];
    default:
      return unreachable(input);
  }
}

/** §5.2: a candidate increments its term and votes for itself; the vote counts once it is durable. */
function campaign(node: RaftNode): readonly RaftEffect[] {
  assert(node.role === "follower", `a ${node.role} cannot start`);
  node.role = "candidate";
  node.term = term(node.term + 1);
  node.votedFor = node.id;
  node.leader = undefined;
  return [persist(node, hardStateOf(node), [])];
}

function onPersisted(node: RaftNode, ticket: number): readonly RaftEffect[] {
  const write = node.writes.shift();
  assert(write?.ticket === ticket, `ticket ${ticket} was confirmed out of order`);
  node.durableIndex = write.lastIndex;
  if (node.role === "candidate" && write.term === node.term) return becomeLeader(node);
  return node.role === "leader" ? advanceCommit(node) : [];
}

/** §8: a leader begins its term with a no-op, whose commit also commits whatever precedes it. */
function becomeLeader(node: RaftNode): readonly RaftEffect[] {
  node.role = "leader";
  node.leader = node.id;
  return [{ kind: "role-changed", role: "leader", term: node.term, leader: node.id }, append(node, "noop", [NO_DATA])];
}

/** §5.3: the leader appends; the entry is committed once a majority holds it durably. */
function propose(node: RaftNode, data: readonly Uint8Array[]): readonly RaftEffect[] {
  if (data.length === 0) return [];
  if (node.role !== "leader") return [{ kind: "reject", count: data.length, leader: node.leader }];
  return [append(node, "command", data)];
}

/** §5.4.2: only an entry of the leader's own term is committed by counting. */
function advanceCommit(node: RaftNode): readonly RaftEffect[] {
  if (node.durableIndex <= node.commit || termAt(node.log, node.durableIndex) !== node.term) return [];
  node.commit = node.durableIndex;
  return [{ kind: "commit", index: node.commit }];
}

/** §7: only what is committed, and so applied, may be forgotten. */
function compact(node: RaftNode, requested: LogIndex): readonly RaftEffect[] {
  const index = logIndex(Math.min(requested, node.commit));
  if (index <= node.log.compactedIndex) return [];
  node.log = compactLog(node.log, index);
  return [{ kind: "compact", index }];
}

function append(node: RaftNode, kind: EntryKind, data: readonly Uint8Array[]): RaftEffect {
  const first = node.log.lastIndex + 1;
  const entries = data.map((bytes, i): Entry => ({ index: logIndex(first + i), term: node.term, kind, data: bytes }));
  node.log = extendLog(node.log, node.term, entries.length);
  // The commit index rides along: it costs nothing in a write that happens anyway.
  return persist(node, hardStateOf(node), entries);
}

function persist(node: RaftNode, hardState: HardState, entries: readonly Entry[]): RaftEffect {
  node.ticket += 1;
  node.writes.push({ ticket: node.ticket, term: node.term, lastIndex: node.log.lastIndex });
  return { kind: "persist", ticket: node.ticket, hardState, truncateFrom: undefined, entries };
}

const hardStateOf = (node: RaftNode): HardState => ({
  term: node.term,
  votedFor: node.votedFor,
  commit: node.commit,
});
