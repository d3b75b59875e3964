/** The state of the quorum between domain and wire, both directions. The wire has moments where the domain has spans. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Millis } from "../base/brand.ts";
import { millis } from "../base/brand.ts";
import type { RaftMemberDetail, RaftStatus } from "../core/domain/detail.ts";
import type { RaftMemberStatus, RaftMemberStatusSchema, RaftStatusResponse } from "../gen/lattice/v1/admin_pb.ts";
import { RaftStatusResponseSchema } from "../gen/lattice/v1/admin_pb.ts";
import { timestampToProto } from "./timestamp.ts";

/** Writes the status as of `now`; a leader that is not known is 0. */
export const raftStatusToProto = (status: RaftStatus, now: Millis): RaftStatusResponse =>
  create(RaftStatusResponseSchema, {
    selfId: BigInt(status.self),
    leaderId: BigInt(status.leader ?? 0),
    leaderAddress: status.members.find((member) => member.id === status.leader)?.address ?? "",
    currentTerm: BigInt(status.term),
    commitIndex: BigInt(status.commit),
    lastApplied: BigInt(status.applied),
    stateHash: status.stateHash,
    membersIndex: BigInt(status.membersAt),
    members: status.members.map((member) => memberToProto(member, now)),
  });

/** Reads the status. */
export const raftStatusFromProto = (proto: RaftStatusResponse): RaftStatus => ({
  self: Number(proto.selfId),
  leader: proto.leaderId === 0n ? undefined : Number(proto.leaderId),
  term: Number(proto.currentTerm),
  commit: Number(proto.commitIndex),
  applied: Number(proto.lastApplied),
  stateHash: proto.stateHash,
  membersAt: Number(proto.membersIndex),
  members: proto.members.map(memberFromProto),
});

function memberToProto(member: RaftMemberDetail, now: Millis): MessageInitShape<typeof RaftMemberStatusSchema> {
  const { matchIndex, lag, lastContactMs } = member;
  return {
    nodeId: BigInt(member.id),
    address: member.address,
    role: member.role,
    voter: member.role !== "learner",
    matchIndex: BigInt(matchIndex ?? 0),
    ...(lag !== undefined && { lag: BigInt(lag) }),
    ...(lastContactMs !== undefined && {
      lastContact: timestampToProto(millis(now - lastContactMs)),
      lastContactMs: BigInt(Math.round(lastContactMs)),
    }),
  };
}

const memberFromProto = (proto: RaftMemberStatus): RaftMemberDetail => ({
  id: Number(proto.nodeId),
  address: proto.address,
  role: proto.role === "leader" || proto.role === "learner" ? proto.role : "follower",
  matchIndex: proto.lag === undefined ? undefined : Number(proto.matchIndex),
  lag: proto.lag === undefined ? undefined : Number(proto.lag),
  lastContactMs: proto.lastContactMs === undefined ? undefined : Number(proto.lastContactMs),
});
