/**
 * Bugs that people make in consensus, each as a change of one place in the source: what
 * the simulator has to find. Applied to a module as it is loaded, by plant-bug.ts.
 */

import { join } from "node:path";

/** One bug. */
export interface PlantedBug {
  readonly name: string;
  /** Under src/. */
  readonly file: string;
  /** Occurs once there. */
  readonly find: string;
  readonly replace: string;
  /** One that finds it; after a change of the simulator or the servers perhaps another does. */
  readonly seed?: number;
  /** No bounded number of seeds brings it out: see why beside it; unit tests hold the rule. */
  readonly isRare?: true;
}

/** The environment variable that names the bug to plant. */
export const PLANTED_BUG = "SIM_PLANTED_BUG";

/** Seeds within which each must be found. */
const SEEDS_MAX = 1_000;

/** What came of a hunt: the line that names what was found, or all that was said. */
export interface Hunt {
  readonly isFound: boolean;
  readonly says: string;
}

/** Looks for a bug, first with the seed that is known to find it, then with others in order. */
export function hunt(bug: PlantedBug, seedsMax = SEEDS_MAX): Hunt {
  const { name, seed } = bug;
  const known = seed === undefined ? undefined : run(name, `${seed}-${seed}`);
  return known?.isFound ? known : run(name, `1-${seedsMax}`);
}

/** Runs the simulator with a bug in a process of its own. */
function run(name: string, seeds: string): Hunt {
  const root = join(import.meta.dir, "../..");
  const preload = join(import.meta.dir, "plant-bug.ts");
  const flags = ["--seeds", seeds, "--once", "--stop"];
  const done = Bun.spawnSync([process.execPath, "--preload", preload, join(root, "scripts/sim.ts"), ...flags], {
    env: { ...process.env, [PLANTED_BUG]: name },
  });
  const says = `${done.stdout}${done.stderr}`;
  const found = says.split("\n").find((line) => line.includes("FAILED"));
  return { isFound: done.exitCode === 1 && found !== undefined, says: found ?? says };
}

/** All of them. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "one member is a majority",
    seed: 3,
    file: "core/raft/replication.ts",
    find: "matches.toSorted((a, b) => b - a)[majorityOf(membership) - 1]",
    replace: "matches.toSorted((a, b) => b - a)[0]",
  },
  {
    name: "a vote is given twice in a term",
    seed: 45,
    file: "core/raft/election.ts",
    find: "if (!mayGrant || !isFree) {",
    replace: "if (!mayGrant) {",
  },
  {
    name: "a vote is given to a log that lacks entries",
    seed: 1,
    file: "core/raft/election.ts",
    find: "const mayGrant = isComplete && node.recoverUntil === 0;",
    replace: "const mayGrant = node.recoverUntil === 0;",
  },
  {
    name: "a term and a vote are not written",
    seed: 1,
    file: "core/raft/node-state.ts",
    find: "ticket: node.ticket, hardState: hardStateOf(node), truncateFrom",
    replace: "ticket: node.ticket, hardState: undefined, truncateFrom",
  },
  {
    name: "an append is acknowledged before it is durable",
    seed: 1,
    file: "core/raft/receive-log.ts",
    find: "send(node, to, { message, after: pendingTicket(node) });",
    replace: "send(node, to, { message, after: 0 });",
  },
  {
    name: "an append is taken whatever precedes it",
    seed: 11,
    file: "core/raft/receive-log.ts",
    find: "if (prevIndex > node.commit && termAt(node.log, prevIndex) !== prevTerm) {",
    replace: "if (prevIndex > node.log.lastIndex) {",
  },
  {
    name: "an entry of an earlier term is committed by counting",
    seed: 29,
    file: "core/raft/replication.ts",
    find: "if (index <= node.commit || termAt(node.log, index) !== node.term) return;",
    replace: "if (index <= node.commit) return;",
  },
  {
    name: "a learner counts",
    seed: 28,
    file: "core/raft/replication.ts",
    find: "const matches = votersOf(membership).map((id) => {",
    replace: "const matches = membership.members.map((m) => m.id).map((id) => {",
  },
  {
    name: "a leader answers reads without asking anybody",
    seed: 6,
    file: "core/raft/reads.ts",
    find: "if (knowsCommit && (isSole || holdsLease)) {",
    replace: "if (knowsCommit) {",
  },
  {
    name: "a lease outlives an election span",
    seed: 6,
    file: "core/raft/rounds.ts",
    find: "node.settings.electionTicks * 0.8",
    replace: "node.settings.electionTicks * 4",
  },
  {
    name: "a member that restarts forgets the lease that it confirmed",
    seed: 6,
    file: "core/raft/node-state.ts",
    find: "graceUntil: hardState.term > 0 ? settings.electionTicks : 0,",
    replace: "graceUntil: 0,",
  },
  {
    name: "a damaged member votes and counts at once",
    seed: 12,
    file: "core/raft/node-state.ts",
    find: "recoverUntil: hardState.recoverUntil ?? logIndex(0),",
    replace: "recoverUntil: logIndex(0),",
  },
  {
    name: "an emptied server passes for the one that it was",
    seed: 9,
    file: "core/raft/admission.ts",
    find: 'if (known === storeId) return { kind: "admit", adopts, remembers: false };',
    replace: 'if (known !== "never") return { kind: "admit", adopts, remembers: false };',
  },
  {
    name: "a read does not wait until its index is applied",
    seed: 2,
    file: "engine/server/read-barrier.ts",
    find: "if (index <= this.#parts.applied()) return;",
    replace: "if (index > 0) return;",
  },
  {
    name: "the log is compacted before the state is durable",
    seed: 14,
    file: "engine/server/replica.ts",
    find: "    this.#isCompacting = true;\n    await this.mirror.sync();",
    replace: "    this.#isCompacting = true;",
  },
  {
    name: "an idempotency key is not looked up",
    seed: 7,
    file: "core/state/apply.ts",
    find: "if (remembered) return { outcome: remembered, events: [] };",
    replace: "",
  },
  {
    name: "a change is acknowledged when it is proposed",
    seed: 1,
    file: "engine/server/replica.ts",
    find: "    return output;",
    replace: "    return Promise.race([output, Promise.resolve({ kind: 'done' as const })]);",
  },
  {
    name: "a plan is not checked again when it is applied",
    seed: 128,
    file: "core/state/handlers/placement.ts",
    find: "const isTaken = claim.isExclusive ? (load?.claims.size ?? 0) > 0 : (load?.exclusiveCount ?? 0) > 0;",
    replace: "return ok(undefined);\n  const isTaken = false;",
  },
  {
    name: "a leader never lowers what it believes a damaged member to hold",
    file: "core/raft/replication.ts",
    find: "if (isRecovering) peer.match",
    replace: "if (false) peer.match",
  },
  {
    name: "a member that lags refuses whoever replaced a member that it knows",
    seed: 2,
    file: "core/raft/admission.ts",
    find: "if (boundAt > view.newestAt)",
    replace: "if (boundAt < 0)",
  },
  {
    name: "a member is bound to the store of the one that it replaced",
    // Two replacements under one id, one of them unseen, and an election before the next commit.
    isRare: true,
    file: "engine/server/raft/raft-peers.ts",
    find: "if (come !== undefined && store.knownStores.get(id) === come)",
    replace: "if (come !== undefined)",
  },
  {
    name: "a cancel repeated under its key is refused once the allocation has left memory",
    seed: 82,
    file: "engine/server/operations/change-allocation.ts",
    find: 'if (!isRepeat(server, call, "cancel"))',
    replace: "if (true)",
  },
  {
    name: "a member that comes back is not told what is committed until more is proposed",
    file: "core/raft/replication.ts",
    find: ' || peer.mode === "probe") sendEntries(node, peer);',
    replace: ") sendEntries(node, peer);",
  },
];
