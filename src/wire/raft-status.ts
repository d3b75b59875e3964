/** The state of the quorum between domain and wire, both directions. The wire has moments where the domain has spans. */
import { create } from "@bufbuild/protobuf";
import type { Millis } from "../base/brand.ts";
import { millis } from "../base/brand.ts";
import type { RaftStatus } from "../core/domain/detail.ts";
import type { RaftStatusResponse } from "../gen/lattice/v1/admin_pb.ts";
import { RaftStatusResponseSchema } from "../gen/lattice/v1/admin_pb.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** Writes the status as of `now`; a leader that is not known is 0. */
export const raftStatusToProto = (status: RaftStatus, now: Millis): RaftStatusResponse =>
  create(RaftStatusResponseSchema, {
    selfId: BigInt(status.self),
    leaderId: BigInt(status.leader ?? 0),
    currentTerm: BigInt(status.term),
    commitIndex: BigInt(status.commit),
    lastApplied: BigInt(status.applied),
    stateHash: status.stateHash,
    members: status.members.map((member) => ({
      nodeId: BigInt(member.id),
      address: member.address,
      role: member.role,
      matchIndex: BigInt(member.matchIndex),
      lastContact: timestampToProto(millis(now - member.lastContactMs)),
    })),
  });

/** Reads the status as of `now`. */
export function raftStatusFromProto(proto: RaftStatusResponse, now: Millis): RaftStatus {
  const commit = Number(proto.commitIndex);
  return {
    self: Number(proto.selfId),
    leader: proto.leaderId === 0n ? undefined : Number(proto.leaderId),
    term: Number(proto.currentTerm),
    commit,
    applied: Number(proto.lastApplied),
    stateHash: proto.stateHash,
    members: proto.members.map((member) => ({
      id: Number(member.nodeId),
      address: member.address,
      role: member.role,
      matchIndex: Number(member.matchIndex),
      lag: Math.max(0, commit - Number(member.matchIndex)),
      lastContactMs: Math.max(0, now - timestampFromProto(member.lastContact)),
    })),
  };
}
