/**
 * Liveness: once nothing goes wrong any more, the servers agree on a leader and on the
 * state, everything that can run has ended, and nobody waits for an answer.
 */
import { isTerminal } from "../../core/domain/lifecycle.ts";
import { stateHash } from "../../core/state/state.ts";
import type { Cluster } from "../cluster.ts";

/** Returns what is still missing, or undefined when everything has come to rest. */
export function findUnrest({ servers, clients, operator, claimer, work }: Cluster): string | undefined {
  if (!operator.isIdle) return "the operator waits";
  if (!claimer.isIdle) return "the claiming user waits";
  const waiting = clients.filter((client) => !client.isIdle);
  if (waiting.length > 0) return `clients wait: ${waiting.map((c) => c.process.name).join(" ")}`;
  const replicas = servers.map(({ name, running }) => ({ name, replica: running?.replica }));
  const [first] = replicas;
  const leader = first?.replica?.status.leader;
  for (const { name, replica } of replicas) {
    if (replica === undefined) return `server ${name} is down`;
    if (leader === undefined || replica.status.leader !== leader) return `server ${name} follows another leader`;
    if (replica.status.members.length !== servers.length) return `server ${name} knows other members`;
    if (replica.status.members.some((m) => m.role === "learner")) return "there is a learner";
    if (replica.applied !== first?.replica?.applied) return `server ${name} has applied another index`;
  }
  const states = replicas.flatMap(({ replica }) => replica?.state ?? []);
  const [state] = states;
  if (state === undefined || states.some((s) => stateHash(s) !== stateHash(state))) return "the states differ";
  const held = [...state.tables.nodes.values()].filter(({ sensitiveClaim, wipe }) => sensitiveClaim || wipe);
  if (held.length > 0) return `nodes are claimed or not wiped: ${held.map(({ id }) => id).join(" ")}`;
  const parked = new Set(work.submissions.filter((s) => s.isParked).map((s) => s.name));
  const open = [...state.tables.allocations.values()].filter((a) => !isTerminal(a.state) && !parked.has(a.spec.name));
  return open.length === 0
    ? undefined
    : `work has not ended: ${open.map((a) => `${a.spec.name} ${a.state}`).join(", ")}`;
}
