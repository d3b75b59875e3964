/** The cluster itself: the quorum as this server sees it, and whether it can serve. */
import { stateHash } from "../../../core/state/state.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand } from "./access.ts";
import type { RaftStatus, Readiness } from "./results.ts";

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
    members: members.map((m) => ({ ...m, lag: Math.max(0, commit - m.matchIndex) })),
    stateHash: stateHash(server.replica.state),
  };
}

/** Returns whether this server can serve: the servers have a leader, and this one has caught up. */
export function readiness(server: Server): Readiness {
  const { leader, commit } = server.replica.status;
  if (leader === undefined) return { isReady: false, detail: "the servers have no leader" };
  if (server.replica.applied < commit) return { isReady: false, detail: "this server is catching up" };
  return { isReady: true, detail: "ok" };
}
