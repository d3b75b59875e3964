/** The cluster itself: the quorum as this server sees it, who belongs to it, and whether this server can serve. */
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { stateHash } from "../../../core/state/state.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand } from "./access.ts";
import type { RaftStatus, Readiness } from "./results.ts";

/** A server that is to join. */
export interface MemberAsked {
  readonly id: number;
  /** HOST:PORT that the other members dial. */
  readonly address: string;
}

/** Returns the quorum as this server sees it. */
export async function raftStatus(server: Server, call: Call): Promise<RaftStatus> {
  demand(call, "raft.read");
  const { self, leader, term, commit, members } = server.replica.status;
  return {
    self,
    leader,
    term,
    commit,
    applied: server.replica.applied,
    members: members.map((m) => ({
      ...m,
      lag: m.matchIndex === undefined ? undefined : Math.max(0, commit - m.matchIndex),
    })),
    stateHash: stateHash(server.replica.state),
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
 * Lets a server join as a learner.
 * @throws INVALID_SPEC, ILLEGAL_TRANSITION, NOT_LEADER, NO_QUORUM.
 */
export async function addMember(server: Server, call: Call, { id, address }: MemberAsked): Promise<void> {
  demand(call, "raft.change");
  if (!Number.isSafeInteger(id) || id < 1) {
    throw new LatticeError(fault("INVALID_SPEC", `a member's id is a whole number from 1 on, not ${id}`));
  }
  if (Number(ADDRESS.exec(address)?.[1] ?? 65_536) > 65_535) {
    throw new LatticeError(fault("INVALID_SPEC", `the address of a member is HOST:PORT, not "${address}"`));
  }
  await server.replica.consensus.changeMembers({ kind: "add-learner", id, address, storeId: "" });
}

/** Lets a learner that is nearly caught up vote. @throws ILLEGAL_TRANSITION, NOT_LEADER, NO_QUORUM. */
export async function promoteMember(server: Server, call: Call, id: number): Promise<void> {
  demand(call, "raft.change");
  await server.replica.consensus.changeMembers({ kind: "promote", id });
}

/** Takes a member out for good. @throws ILLEGAL_TRANSITION, NOT_LEADER, NO_QUORUM. */
export async function removeMember(server: Server, call: Call, id: number): Promise<void> {
  demand(call, "raft.change");
  await server.replica.consensus.changeMembers({ kind: "remove", id });
}

/** Hands leadership to another voter. @throws ILLEGAL_TRANSITION, NOT_LEADER, NO_QUORUM. */
export async function transferLeadership(server: Server, call: Call, id: number): Promise<void> {
  demand(call, "raft.change");
  await server.replica.consensus.transfer(id);
}
