/**
 * Plots around elections: the story of figure 8 of the Raft paper, a voter that restarts
 * within a lease, and leadership that is handed on again and again.
 */
import { pick } from "../world/chance.ts";
import type { Stage } from "./stage.ts";
import { lastTermOf, leadsAfter, logOf, termOf } from "./stage.ts";

/** Long enough for an election on a calm network. */
const ELECTION_MS = 6_000;

/**
 * §5.4.2, figure 8: an entry of an earlier term reaches a majority late, its leader falls
 * silent again, and a member that never had it is elected with a later term in its log.
 */
export async function earlierTerm(stage: Stage): Promise<void> {
  const first = stage.cluster.leader;
  if (first === undefined) return;
  const others = stage.without(first);
  const begun = termOf(first);
  stage.part([first], others);
  void stage.witness.write(first);
  const ends = others.map((server) => logOf(server).lastIndex);
  if (!(await stage.until(() => logOf(first).lastIndex > Math.max(...ends), 500))) return;
  const wrote = logOf(first).lastIndex;
  if (!(await stage.until(() => others.some((s) => leadsAfter(s, begun)), ELECTION_MS))) return;
  const second = others.find((s) => leadsAfter(s, begun));
  if (second === undefined) return;
  const rest = stage.without(first, second);
  stage.part([first], [second], rest);
  if (!(await stage.until(() => lastTermOf(second) > begun, 500))) return;
  const between = termOf(second);
  stage.part([first, ...rest], [second]);
  if (!(await stage.until(() => leadsAfter(first, between), ELECTION_MS))) return;
  const holds = () => rest.some((s) => logOf(s).lastIndex >= wrote && lastTermOf(s) === begun);
  if (!(await stage.until(holds, 2_000))) return;
  // The acknowledgement gets through, nothing else does.
  stage.muffle([first], rest);
  await stage.wait([5, 40]);
  stage.part([first], [second, ...rest]);
  await stage.until(() => leadsAfter(second, between), ELECTION_MS);
}

/**
 * A voter that has just confirmed a lease restarts out of the leader's hearing and is
 * asked for its vote at once.
 */
export async function restartWithinLease(stage: Stage): Promise<void> {
  const leader = stage.cluster.leader;
  if (leader === undefined) return;
  const others = stage.without(leader);
  const rivals = others.slice(others.length / 2);
  const [voter] = others;
  if (voter === undefined) return;
  const term = termOf(leader);
  // Whoever is to win needs the whole log: nobody else writes meanwhile.
  stage.muteClients(true);
  if (!(await stage.wait([1_500, 2_500])) || !(await stage.witness.write(leader))) return;
  const isEven = () => rivals.every((rival) => logOf(rival).lastIndex === logOf(leader).lastIndex);
  if (!(await stage.until(isEven, 500))) return;
  stage.muffle([leader], rivals);
  const isDeaf = () => rivals.every((rival) => rival.running?.replica.status.leader === undefined);
  if (!(await stage.until(isDeaf, ELECTION_MS)) || !leadsAfter(leader, term - 1)) return;
  voter.crash(false);
  stage.part(stage.without(voter, ...rivals), [voter, ...rivals]);
  voter.start();
  if (!(await stage.until(() => rivals.some((rival) => leadsAfter(rival, term)), 1_500))) return;
  const rival = rivals.find((r) => leadsAfter(r, term));
  if (!rival || !(await stage.witness.write(rival))) return;
  // What is asked for in the very moment of an answer is not after it.
  if (await stage.wait([0.1, 1])) await stage.witness.read(leader);
}

/** One leader after another, sooner than what the one before began has ended. */
export async function handOn(stage: Stage): Promise<void> {
  const { cluster, random } = stage;
  for (let times = 0; times < 20; times++) {
    const next = pick(
      random,
      stage.servers.filter((server) => server !== cluster.leader),
    );
    if (next !== undefined && cluster.operator.isIdle) cluster.operator.transfer(next);
    if (!(await stage.wait([60, 300]))) return;
  }
}
