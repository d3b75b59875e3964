/** `lattice raft-status`: the quorum, as the server that answers sees it. */
import type { RaftStatusResponse } from "../../client/messages.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { printOne } from "../render/print.ts";
import { renderTable } from "../render/table.ts";
import { pairs, span } from "../render/text.ts";

/** Returns the command under the name that its group gives it. */
export const raftStatusCommand = (name: "raft-status" | "admin raft-status"): Command => ({
  kind: "command",
  name,
  summary: "Show the quorum of the servers",
  run: async (_given, context) => {
    const status = await context.client().admin.getRaftStatus({}, { signal: context.signal });
    const { columns } = context.terminal;
    await printOne(context, status, {
      id: String(status.leaderId),
      text: () => raftText(status, { width: columns ?? 80, now: context.now() }),
    });
    return EXIT.ok;
  },
});

function raftText(
  status: RaftStatusResponse,
  { width, now }: { readonly width: number; readonly now: number },
): string {
  const leader = status.leaderId === 0n ? "none: no quorum" : `server ${status.leaderId}`;
  const rows: readonly (readonly [string, string])[] = [
    ["Leader", leader],
    ["Answered by", `server ${status.selfId}`],
    ["Term", String(status.currentTerm)],
    ["Committed", String(status.commitIndex)],
    ["Applied", String(status.lastApplied)],
    ["State hash", status.stateHash],
  ];
  const table = renderTable(
    status.members,
    [
      { title: "SERVER", value: (m) => String(m.nodeId), isNumber: true },
      { title: "ROLE", value: (m) => m.role },
      { title: "MATCHED", value: (m) => String(m.matchIndex), isNumber: true },
      { title: "LAG", value: (m) => lag(status, m.matchIndex), isNumber: true },
      { title: "HEARD", value: (m) => heard(m.lastContact && timestampFromProto(m.lastContact), now) },
      { title: "ADDRESS", value: (m) => m.address, least: 12 },
    ],
    width,
  );
  return `${pairs(rows, width, "").join("\n")}\n\n${table}`;
}

const lag = ({ commitIndex }: RaftStatusResponse, match: bigint): string =>
  String(commitIndex > match ? commitIndex - match : 0n);

const heard = (at: number | undefined, now: number): string =>
  at === undefined || at === 0 ? "-" : `${span(Math.max(0, now - at))} ago`;
