/** What servers ask the one that leads about the quorum: how it is, and to change it. */
import type { LogIndex, Term } from "../../../base/brand.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { MemberId, MembershipChange } from "../../../core/raft/raft-types.ts";
import type { ConsensusStatus, MemberStatus } from "../../../ports/consensus.ts";
import type { Replica } from "../replica.ts";
import type { Shape } from "./json-shape.ts";
import { flag, list, maybe, number, oneOf, record, text } from "./json-shape.ts";
import type { PeerBus, Question } from "./peer-bus.ts";

/** A change waits for its commit, a transfer for the other member to catch up and lead. */
const CHANGE_TIMEOUT_MS = 15_000;
/** Whoever was heard since may be promoted. */
const ALIVE_MS = 5_000;

const done = record<{ readonly ok: boolean }>({ ok: flag });
const noBody = record<object>({});

/** Asks how the quorum is; only the leader knows how far each member is. */
export const QUORUM_STATUS: Question<object, ConsensusStatus> = {
  kind: "quorum-status",
  ask: noBody,
  answer: record<ConsensusStatus>({
    self: number,
    leader: maybe(number),
    term: number<Term>,
    commit: number<LogIndex>,
    members: list(
      record<MemberStatus>({
        id: number,
        address: text,
        role: oneOf("leader", "follower", "learner"),
        matchIndex: maybe(number<LogIndex>),
        lastContactMs: maybe(number),
      }),
    ),
    membersAt: maybe(number<LogIndex>),
    leaderSilenceMaxMs: maybe(number),
  }),
};

/** Asks for a change of the members; answered when it is committed. */
export const CHANGE_MEMBERS: Question<MembershipChange, { readonly ok: boolean }> = {
  kind: "change-members",
  ask: isChange,
  answer: done,
  timeoutMs: CHANGE_TIMEOUT_MS,
};

/** Asks the leader to hand leadership over; answered when the other leads. */
export const TRANSFER: Question<{ readonly to: MemberId }, { readonly ok: boolean }> = {
  kind: "transfer",
  ask: record<{ readonly to: MemberId }>({ to: number }),
  answer: done,
  timeoutMs: CHANGE_TIMEOUT_MS,
};

/** Answers these questions as the log of this server does. */
export function answerQuorumQuestions({ replica, bus }: { readonly replica: Replica; readonly bus: PeerBus }): void {
  bus.answer(QUORUM_STATUS, () => replica.status);
  bus.answer(CHANGE_MEMBERS, async (_, change) => {
    if (change.kind === "promote") demandAlive(replica.status, change.id);
    await replica.consensus.changeMembers(change);
    return { ok: true };
  });
  bus.answer(TRANSFER, async (_, { to }) => {
    await replica.consensus.transfer(to);
    return { ok: true };
  });
}

/** A voter that is not there would count against every commit from the moment of its promotion. */
function demandAlive({ members }: ConsensusStatus, id: MemberId): void {
  const member = members.find((m) => m.id === id);
  if (!member || (member.lastContactMs ?? Number.POSITIVE_INFINITY) <= ALIVE_MS) return;
  const since = member.lastContactMs === undefined ? "" : ` for ${Math.round(member.lastContactMs / 1000)} s`;
  const next = `start it with quorum.node_id ${id} and wait until it has caught up: lattice admin raft status`;
  throw new LatticeError(
    fault("ILLEGAL_TRANSITION", `server ${id} at ${member.address} has not been heard${since}`, next),
  );
}

type Adding = Extract<MembershipChange, { kind: "add-learner" }>;
type Promoting = Extract<MembershipChange, { kind: "promote" }>;
type Removing = Extract<MembershipChange, { kind: "remove" }>;

const isAdding: Shape<Adding> = record<Adding>({
  kind: oneOf("add-learner"),
  id: number,
  address: text,
  storeId: text,
});
const isPromoting: Shape<Promoting> = record<Promoting>({ kind: oneOf("promote"), id: number });
const isRemoving: Shape<Removing> = record<Removing>({
  kind: oneOf("remove"),
  id: number,
  seenAt: maybe(number<LogIndex>),
});

function isChange(value: unknown): value is MembershipChange {
  return isAdding(value) || isPromoting(value) || isRemoving(value);
}
