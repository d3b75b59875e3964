/** `lattice admin raft status|add|promote|remove|transfer`: the quorum of the servers. */

import { pairs } from "../../base/columns.ts";
import type { RaftMemberStatus, RaftStatusResponse } from "../../client/messages.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { printOne } from "../render/print.ts";
import type { Column } from "../render/table.ts";
import { renderTable } from "../render/table.ts";
import { span } from "../render/text.ts";

const MEMBER = { name: "id", description: "Number of the member, its quorum.node_id", isRequired: true } as const;

/** Returns the command under the name that its group gives it. */
export const raftStatus = (name: "raft-status" | "admin raft-status" | "admin raft status"): Command => ({
  kind: "command",
  name,
  summary: "Show the quorum of the servers",
  details: [
    "MATCH is the end of the log that a member is known to hold, LAG what it lacks of what is committed, CONTACT when the leader last heard it. Without a leader they are what the answering server knows by itself.",
  ],
  run: async (_given, context) => {
    const status = await context.client().admin.getRaftStatus({}, { signal: context.signal });
    await printOne(context, status, { id: String(status.leaderId), text: () => statusText(status, context) });
    return EXIT.ok;
  },
});

/** `lattice admin raft add`. */
export const raftAdd: Command = {
  kind: "command",
  name: "admin raft add",
  summary: "Let a server join",
  details: [
    "The server joins as a learner, which receives the log and does not count; promote it once its lag is small. It must run with this id, the other members among its peers, and an empty data directory.",
  ],
  positionals: [MEMBER, { name: "address", description: "HOST:PORT that the other members dial", isRequired: true }],
  examples: [["lattice admin raft add 4 lattice-04:9000", "then: lattice admin raft promote 4"]],
  run: async (given, context) => {
    const [id = "", address = ""] = given.positionals;
    const request = { nodeId: memberId(id), address };
    const status = await context.client().admin.addRaftMember(request, { signal: context.signal });
    await tell(context, status, `Added learner ${id} at ${address}; promote it once its lag is small`);
    return EXIT.ok;
  },
};

/** `lattice admin raft promote`. */
export const raftPromote: Command = {
  kind: "command",
  name: "admin raft promote",
  summary: "Let a learner vote and count",
  details: ["Refused while the learner lags: a member that counts and lags would hold up every change."],
  positionals: [MEMBER],
  run: async (given, context) => {
    const nodeId = memberId(given.first() ?? "");
    const status = await context.client().admin.promoteRaftMember({ nodeId }, { signal: context.signal });
    await tell(context, status, `Promoted member ${nodeId}: it votes and counts`);
    return EXIT.ok;
  },
};

/** `lattice admin raft remove`. */
export const raftRemove: Command = {
  kind: "command",
  name: "admin raft remove",
  summary: "Take a member out for good",
  details: [
    "It cannot come back by itself. Empty its data directory and add it to have it join again.",
    "Refused when the members change meanwhile: a removal that comes late cannot undo an addition.",
  ],
  positionals: [MEMBER],
  run: async (given, context) => {
    const nodeId = memberId(given.first() ?? "");
    const { admin } = context.client();
    const { membersIndex } = await admin.getRaftStatus({}, { signal: context.signal });
    // A server that does not tell it does not ask for it either.
    const seen = membersIndex === 0n ? {} : { membersIndex };
    const status = await admin.removeRaftMember({ nodeId, ...seen }, { signal: context.signal });
    await tell(context, status, `Removed member ${nodeId}`);
    return EXIT.ok;
  },
};

/** `lattice admin raft transfer`. */
export const raftTransfer: Command = {
  kind: "command",
  name: "admin raft transfer",
  summary: "Hand leadership to another voter",
  details: ["Before the leader's machine is serviced: no election is waited for."],
  positionals: [MEMBER],
  run: async (given, context) => {
    const nodeId = memberId(given.first() ?? "");
    const status = await context.client().admin.transferRaftLeadership({ nodeId }, { signal: context.signal });
    await tell(context, status, `Member ${nodeId} leads`);
    return EXIT.ok;
  },
};

function memberId(text: string): bigint {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`"${text}" is not the number of a member`);
  return BigInt(text);
}

/** Says what was done, then shows what has come of it. */
const tell = (context: Context, status: RaftStatusResponse, done: string): Promise<void> =>
  printOne(context, status, {
    id: String(status.leaderId),
    text: () => `${done}\n\n${membersTable(status, context.terminal.columns ?? 80)}`,
  });

function statusText(status: RaftStatusResponse, { terminal }: Context): string {
  const width = terminal.columns ?? 80;
  const { leaderId, leaderAddress } = status;
  const leader = leaderId === 0n ? "none: no quorum" : `server ${leaderId} at ${leaderAddress}`;
  const rows: readonly (readonly [string, string])[] = [
    ["Leader", leader],
    ["Answered by", `server ${status.selfId}`],
    ["Term", String(status.currentTerm)],
    ["Committed", String(status.commitIndex)],
    ["Applied", String(status.lastApplied)],
    ["State hash", status.stateHash],
  ];
  return `${pairs(rows, width, "").join("\n")}\n\n${membersTable(status, width)}`;
}

function membersTable({ members }: RaftStatusResponse, width: number): string {
  const columns: readonly Column<RaftMemberStatus>[] = [
    { title: "ID", value: (m) => String(m.nodeId), isNumber: true },
    { title: "ADDRESS", value: (m) => m.address, least: 12 },
    { title: "ROLE", value: (m) => m.role },
    { title: "MATCH", value: (m) => (m.lag === undefined ? "-" : String(m.matchIndex)), isNumber: true },
    { title: "LAG", value: (m) => (m.lag === undefined ? "-" : String(m.lag)), isNumber: true },
    { title: "CONTACT", value: (m) => (m.role === "leader" ? "-" : contact(m.lastContactMs)) },
  ];
  return renderTable(members, columns, width);
}

const SECOND = 1_000;

function contact(ms: bigint | undefined): string {
  if (ms === undefined) return "never";
  const since = Number(ms);
  if (since < SECOND) return `${since} ms ago`;
  return since < 60 * SECOND ? `${(since / SECOND).toFixed(1)} s ago` : `${span(since)} ago`;
}
