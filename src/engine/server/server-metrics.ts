/**
 * What a server tells of its loops: the quorum, the state, the agents. Counts that would
 * need a walk over the state are kept up to date by its events instead.
 */
import { LatticeError } from "../../core/domain/errors.ts";
import type { CommandBody, Output } from "../../core/state/commands.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemberStatus } from "../../ports/consensus.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { AgentHub } from "./agent-hub.ts";
import type { Replica } from "./replica.ts";
import { StateCensus } from "./state-census-metrics.ts";
import type { WatchHub } from "./watch-hub.ts";

/** The loops of one server, and where their figures go. */
export interface MeteredLoops {
  readonly replica: Replica;
  readonly agents: AgentHub;
  readonly watches: WatchHub;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

const MILLISECONDS = 1000;
const one = (value: number | boolean) => [{ labels: {}, value: Number(value) }];

/** Has the figures of a server told. Called before the replica starts. */
export function meterServer(loops: MeteredLoops): void {
  const { agents, watches, metrics } = loops;
  meterConsensus(loops);
  meterProposals(loops);
  meterState(loops);
  metrics.read("lattice_agents_connected", () => one(agents.connectedCount));
  metrics.read("lattice_agent_silence_max_seconds", () => {
    const silence = agents.longestSilenceMs;
    return silence === undefined ? [] : one(silence / MILLISECONDS);
  });
  metrics.read("lattice_api_active_streams", () => [{ labels: { stream_type: "watch" }, value: watches.size }]);
}

function meterConsensus({ replica, metrics }: MeteredLoops): void {
  let { term, leader } = replica.status;
  replica.listen({
    onStatus: () => {
      const next = replica.status;
      if (next.term > term) metrics.count("lattice_raft_elections_total", {}, next.term - term);
      if (next.leader !== undefined && next.leader !== leader) {
        metrics.count("lattice_raft_leader_changes_total", {});
        leader = next.leader;
      }
      term = next.term;
    },
  });
  metrics.read("lattice_raft_leader", () => one(replica.isLeader));
  metrics.read("lattice_raft_has_leader", () => one(replica.status.leader !== undefined));
  metrics.read("lattice_raft_term", () => one(replica.status.term));
  metrics.read("lattice_raft_leader_silence_max_seconds", () =>
    one((replica.status.leaderSilenceMaxMs ?? 0) / MILLISECONDS),
  );
  metrics.read("lattice_raft_commit_index", () => one(replica.status.commit));
  metrics.read("lattice_raft_applied_index", () => one(replica.applied));
  metrics.read("lattice_mirror_lag_entries", () => one(replica.applied - replica.mirror.applied().index));
  metrics.read("lattice_raft_members", () => {
    const { members } = replica.status;
    const of = (role: MemberStatus["role"]) => members.filter((member) => member.role === role).length;
    return (["leader", "follower", "learner"] as const).map((role) => ({ labels: { role }, value: of(role) }));
  });
  metrics.read("lattice_raft_member_lag_entries", () => {
    const { members, commit } = replica.status;
    return members.flatMap(({ id, matchIndex }) =>
      matchIndex === undefined ? [] : [{ labels: { member: String(id) }, value: Math.max(0, commit - matchIndex) }],
    );
  });
  metrics.read("lattice_raft_member_silence_seconds", () =>
    replica.status.members.flatMap(({ id, lastContactMs }) =>
      lastContactMs === undefined ? [] : [{ labels: { member: String(id) }, value: lastContactMs / MILLISECONDS }],
    ),
  );
}

function meterProposals({ replica, clock, metrics }: MeteredLoops): void {
  const onProposed = (command: CommandBody["kind"], output: Promise<Output>): void => {
    const since = clock.monotonic();
    const settle = (code: string): void => {
      const seconds = (clock.monotonic() - since) / MILLISECONDS;
      metrics.count("lattice_raft_proposals_total", { command, code });
      metrics.observe("lattice_raft_commit_latency_seconds", {}, seconds);
    };
    output.then(
      () => settle("ok"),
      (error: unknown) => settle(error instanceof LatticeError ? error.fault.reason : "INTERNAL"),
    );
  };
  replica.listen({ onProposed });
  metrics.read("lattice_raft_proposals_in_flight", () => one(replica.inFlightCount));
}

function meterState({ replica, metrics }: MeteredLoops): void {
  const census = new StateCensus();
  census.take(replica.state);
  replica.listen({
    onEvents: (events) => {
      for (const { to } of census.follow(events)) metrics.count("lattice_allocations_ended_total", { state: to });
    },
    onReplaced: () => census.take(replica.state),
  });
  metrics.read("lattice_allocations", () =>
    [...census.allocations].map(([state, value]) => ({ labels: { state }, value })),
  );
  metrics.read("lattice_nodes", () => [...census.nodes].map(([state, value]) => ({ labels: { state }, value })));
  metrics.read("lattice_scheduling_queue_depth", () =>
    [...census.pendingByVCluster()].map(([vcluster, value]) => ({ labels: { vcluster }, value })),
  );
}
