/** The cluster itself: the quorum as this server sees it, who belongs to it, and whether this server can serve. */
import { logIndex } from "../../../base/brand.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { MemberId, MembershipChange } from "../../../core/raft/raft-types.ts";
import { stateHash } from "../../../core/state/state.ts";
import type { Call } from "../call.ts";
import { CHANGE_MEMBERS, QUORUM_STATUS, TRANSFER } from "../peers/quorum-questions.ts";
import type { Server } from "../server.ts";
import { demand } from "./access.ts";
import type { RaftStatus, Readiness } from "./results.ts";

/** A server that is to join. */
export interface MemberAsked {
  readonly id: number;
  /** HOST:PORT that the other members dial. */
  readonly address: string;
}

/** Returns the quorum as its leader sees it; without one, as this server does. */
export async function raftStatus(server: Server, call: Call): Promise<RaftStatus> {
  demand(call, "raft.read");
  const { replica, bus } = server;
  const {
    self,
    leader,
    term,
    commit,
    members,
    membersAt = 0,
  } = await bus
    .askLeader(QUORUM_STATUS, {})
    .then((known) => ({ ...known, self: replica.status.self }))
    .catch(() => replica.status);
  return {
    self,
    leader,
    term,
    commit,
    applied: replica.applied,
    membersAt,
    members: members.map(({ id, address, role, matchIndex, lastContactMs }) => ({
      id,
      address,
      role,
      matchIndex,
      lag: matchIndex === undefined ? undefined : Math.max(0, commit - matchIndex),
      lastContactMs,
    })),
    stateHash: stateHash(replica.state),
  };
}

/** Returns whether this server can serve: the servers have a leader, and this one has caught up with it. */
export async function readiness({ replica }: Server): Promise<Readiness> {
  const { leader, commit } = replica.status;
  if (leader === undefined) return { isReady: false, detail: "the servers have no leader" };
  if (replica.applied < commit) return { isReady: false, detail: "this server is catching up" };
  try {
    await replica.readBarrier();
    return { isReady: true, detail: "ok" };
  } catch (error) {
    if (error instanceof LatticeError) return { isReady: false, detail: error.fault.message };
    throw error;
  }
}

const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([1-9]\d{0,4})$/;

/**
 * Lets a server join as a learner: it gets the log and does not count until it is promoted.
 * @throws INVALID_SPEC, ILLEGAL_TRANSITION, NO_QUORUM.
 */
export async function addMember(server: Server, call: Call, { id, address }: MemberAsked): Promise<void> {
  demand(call, "raft.change");
  if (Number(ADDRESS.exec(address)?.[1] ?? 65_536) > 65_535) {
    throw new LatticeError(fault("INVALID_SPEC", `the address of a member is HOST:PORT, not "${address}"`));
  }
  await change(server, call, { kind: "add-learner", id: memberId(id), address, storeId: "" });
}

/** Lets a learner vote. @throws ILLEGAL_TRANSITION while it lags, NO_QUORUM. */
export async function promoteMember(server: Server, call: Call, id: number): Promise<void> {
  demand(call, "raft.change");
  await change(server, call, { kind: "promote", id: memberId(id) });
}

/** Who is to leave. */
export interface MemberLeaving {
  readonly id: number;
  /** Where the membership stood that the caller saw; what comes late is refused then. */
  readonly seenAt?: number;
}

/** Takes a member out for good. @throws ILLEGAL_TRANSITION, also when the members have changed since `seenAt`; NO_QUORUM. */
export async function removeMember(server: Server, call: Call, { id, seenAt }: MemberLeaving): Promise<void> {
  demand(call, "raft.change");
  await change(server, call, {
    kind: "remove",
    id: memberId(id),
    ...(seenAt !== undefined && { seenAt: logIndex(seenAt) }),
  });
}

/** Hands leadership to another voter. @throws ILLEGAL_TRANSITION, NO_QUORUM. */
export async function transferLeadership(server: Server, call: Call, id: number): Promise<void> {
  demand(call, "raft.change");
  const to = memberId(id);
  await recordFirst(server, call, `hand leadership to ${to}`);
  await server.bus.askLeader(TRANSFER, { to }).catch(asQuorumFault);
  server.log.info("leadership was handed over", { to, by: call.principal.user });
}

async function change(server: Server, call: Call, wanted: MembershipChange): Promise<void> {
  await recordFirst(server, call, `${wanted.kind} ${wanted.id}`);
  await server.bus.askLeader(CHANGE_MEMBERS, wanted).catch(asQuorumFault);
  server.log.info("the members of the quorum were changed", { ...wanted, by: call.principal.user });
}

const recordFirst = ({ auditor }: Server, call: Call, name: string): Promise<void> =>
  auditor.recordFirst(call, { operation: "raft.change", target: { name } });

function memberId(id: number): MemberId {
  if (Number.isSafeInteger(id) && id >= 1) return id;
  throw new LatticeError(fault("INVALID_SPEC", `a member's id is a whole number from 1 on, not ${id}`));
}

/** Whom this server took for the leader may just have ceased to be it; a refusal is told with where to look. */
function asQuorumFault(error: unknown): never {
  if (!(error instanceof LatticeError)) throw error;
  const { reason, message, next } = error.fault;
  if (reason === "NOT_LEADER") {
    const text = "the leader of the servers has just changed";
    throw new LatticeError({ reason: "NO_QUORUM", message: text, retryAfterMs: 500 }, { cause: error });
  }
  if (reason !== "ILLEGAL_TRANSITION" || next !== undefined) throw error;
  const look = "see who is there, and how far: lattice admin raft status";
  throw new LatticeError({ reason, message, next: look }, { cause: error });
}
