/**
 * Plots around who belongs to the cluster: a learner alone with the leader, a voter that
 * comes back empty while another lags, and a member that slept through the replacement of
 * the one that leads when it wakes.
 */
import type { SimServer } from "../server.ts";
import { pick } from "../world/chance.ts";
import type { Stage } from "./stage.ts";
import { leadsAfter, logOf, termOf } from "./stage.ts";

const ELECTION_MS = 6_000;
const EXCHANGE_MS = 10_000;

/** The leader hears nobody but a learner, and is then cut off too. */
export async function learnerWithLeader(stage: Stage): Promise<void> {
  const { cluster } = stage;
  const leader = cluster.leader;
  const old = leader && pick(stage.random, stage.without(leader));
  if (leader === undefined || old === undefined || !exchange(stage, old)) return;
  if (!(await stage.until(() => hasLearner(leader), EXCHANGE_MS))) return;
  const fresh = stage.servers.at(-1);
  if (fresh === undefined) return;
  if (!(await stage.until(() => logOf(fresh).lastIndex >= logOf(leader).lastIndex, 2_000))) return;
  const others = stage.without(leader, fresh);
  const term = termOf(leader);
  stage.part([leader, fresh], others);
  void stage.witness.write(leader);
  if (!(await stage.wait([50, 300]))) return;
  stage.part([leader], [fresh], others);
  await stage.until(() => others.some((s) => leadsAfter(s, term)), ELECTION_MS);
}

/** What the leader and one voter hold is forgotten by that voter; the other never had it. */
export async function emptiedVoter(stage: Stage): Promise<void> {
  const { cluster } = stage;
  const leader = cluster.leader;
  const [voter, laggard] = leader === undefined ? [] : stage.without(leader);
  if (leader === undefined || voter === undefined || laggard === undefined || stage.servers.length > 3) return;
  if (!isWhole(stage)) return;
  const term = termOf(leader);
  stage.part([leader, voter], [laggard]);
  if (!(await stage.witness.write(leader)) || stage.isOver || !isWhole(stage)) return;
  cluster.impaired.add(voter);
  cluster.world.log(voter.name, "wipe");
  voter.crash(true);
  voter.disk.wipe();
  stage.part([leader], [voter, laggard]);
  voter.start();
  await stage.until(() => leadsAfter(laggard, term), ELECTION_MS);
  cluster.replaceEmptied(voter);
  stage.join();
  await stage.until(() => cluster.operator.isIdle, EXCHANGE_MS);
}

/** A member does not hear that another joined, and that one is the leader that it has to follow. */
export async function strangerLeads(stage: Stage): Promise<void> {
  const { cluster } = stage;
  const leader = cluster.leader;
  const old = leader && pick(stage.random, stage.without(leader));
  const sleeper = leader && old && pick(stage.random, stage.without(leader, old));
  if (!sleeper || !old || !isWhole(stage)) return;
  stage.part([sleeper], stage.without(sleeper));
  if (!exchange(stage, old)) return;
  if (!(await stage.until(() => stage.servers.length > 3, 1_000))) return;
  const fresh = stage.servers.at(-1);
  if (fresh === undefined) return;
  stage.part([sleeper], stage.without(sleeper));
  if (!(await stage.until(() => cluster.operator.isIdle, EXCHANGE_MS))) return;
  cluster.operator.transfer(fresh);
  await stage.until(() => leadsAfter(fresh, 0), ELECTION_MS);
  stage.join();
  await stage.until(() => logOf(sleeper).lastIndex >= logOf(fresh).lastIndex, ELECTION_MS);
}

function exchange({ cluster }: Stage, old: SimServer): boolean {
  const { operator, impaired } = cluster;
  if (operator.replacing !== undefined || impaired.size > 0) return false;
  operator.exchange(
    old,
    () => cluster.join(),
    () => cluster.retire(old),
  );
  return true;
}

const isWhole = ({ cluster }: Stage): boolean =>
  cluster.operator.replacing === undefined && cluster.impaired.size === 0 && cluster.operator.isIdle;

const hasLearner = (leader: SimServer): boolean =>
  leader.running?.replica.status.members.some((m) => m.role === "learner") === true;
