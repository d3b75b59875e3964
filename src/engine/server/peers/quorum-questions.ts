/** What servers ask the one that leads about the quorum: how it is, and to change it. */
import type { LogIndex, Term } from "../../../base/brand.ts";
import type { MemberId, MembershipChange } from "../../../core/raft/raft-types.ts";
import type { ConsensusStatus, MemberStatus } from "../../../ports/consensus.ts";
import type { Replica } from "../replica.ts";
import type { Shape } from "./json-shape.ts";
import { flag, list, maybe, number, oneOf, record, text } from "./json-shape.ts";
import type { PeerBus, Question } from "./peer-bus.ts";

/** A change waits for its commit, a transfer for the other member to catch up and lead. */
const CHANGE_TIMEOUT_MS = 15_000;

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
    await replica.consensus.changeMembers(change);
    return { ok: true };
  });
  bus.answer(TRANSFER, async (_, { to }) => {
    await replica.consensus.transfer(to);
    return { ok: true };
  });
}

type Adding = Extract<MembershipChange, { kind: "add-learner" }>;
type Naming = Extract<MembershipChange, { kind: "promote" | "remove" }>;

const isAdding: Shape<Adding> = record<Adding>({
  kind: oneOf("add-learner"),
  id: number,
  address: text,
  storeId: text,
});
const isNaming = record<{ readonly kind: Naming["kind"]; readonly id: MemberId }>({
  kind: oneOf("promote", "remove"),
  id: number,
});

function isChange(value: unknown): value is MembershipChange {
  return isAdding(value) || isNaming(value);
}
