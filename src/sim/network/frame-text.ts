/** What travels between servers, as a few words for the trace. */
import type { RaftMessage } from "../../core/raft/raft-types.ts";
import type { PeerFrame } from "../../ports/peer-link.ts";

/** Returns the frame in words. */
export function describeFrame(frame: PeerFrame): string {
  switch (frame.kind) {
    case "raft":
      return describeMessage(frame.message);
    case "forward":
      return `forward ${frame.proposals.map(({ proposal }) => proposal).join(" ")}`;
    case "forward-rejected":
      return `forward-rejected ${frame.reason} ${frame.proposals.join(" ")}`;
    case "relay":
      return `relay ${frame.data.length} B`;
  }
}

function describeMessage(message: RaftMessage): string {
  const head = `${message.kind} t${message.term}`;
  switch (message.kind) {
    case "vote":
      return `${head} last=${message.lastIndex}/${message.lastTerm}${message.isPreVote ? " pre" : ""}${message.isTransfer ? " transfer" : ""}`;
    case "vote-reply":
      return `${head} ${message.isGranted ? "yes" : "no"}${message.isPreVote ? " pre" : ""}`;
    case "append":
      return `${head} prev=${message.prevIndex}/${message.prevTerm} +${message.entries.length} commit=${message.commit}`;
    case "append-reply":
      return `${head} ${message.isAccepted ? "ok" : `no hint=${message.hintIndex}/${message.hintTerm}`} ${message.index}${message.isRecovering ? " recovering" : ""}`;
    case "heartbeat":
      return `${head} round=${message.round} commit=${message.commit}`;
    case "heartbeat-reply":
      return `${head} round=${message.round}`;
    case "read-index":
      return `${head} #${message.ticket}`;
    case "read-index-reply":
      return `${head} #${message.ticket} ${message.index ?? "not-leader"}`;
    case "timeout-now":
      return head;
  }
}
