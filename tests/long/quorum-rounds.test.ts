/**
 * Rounds of failures against three built servers under load: kill -9 of the leader and of a
 * follower, a frozen leader, a leader cut off from the others by the network, a full disk.
 * After each kind: everything acknowledged exists once on every server, the servers hold the
 * same state, and the history of a register is linearizable. LATTICE_TEST_ROUNDS says how
 * many rounds of each kind; LATTICE_TEST_SEED chooses the moments.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createPrng } from "../../src/base/prng.ts";
import { until } from "../e2e/cluster.ts";
import { QuorumCluster, type QuorumOptions } from "../e2e/quorum-cluster.ts";
import { breaches, startRecording } from "../e2e/quorum-history.ts";
import { differences, startLoad } from "../e2e/quorum-load.ts";
import { addressOf, cutOff, inNetwork, makeNetworks, networkObstacle, removeNetworks } from "./quorum-networks.ts";

const ROUNDS = Number(process.env.LATTICE_TEST_ROUNDS ?? 30);
const SEED = Number(process.env.LATTICE_TEST_SEED ?? 1);
setDefaultTimeout(60_000 + ROUNDS * 30_000);
const random = createPrng(SEED);
/** The longest that submissions may stand still after a failure. */
const STANDSTILL_MAX_MS = 15_000;

interface Failure {
  /** Who fails, given the leader. */
  readonly strike: (cluster: QuorumCluster, leader: number) => Promise<number> | number;
  /** Mends what was struck. */
  readonly mend: (cluster: QuorumCluster, struck: number) => Promise<void> | void;
}

const followerOf = (cluster: QuorumCluster, leader: number): number => {
  const others = cluster.ids.filter((id) => id !== leader);
  return others[Math.floor(random() * others.length)] ?? 0;
};

const killed = (whom: (cluster: QuorumCluster, leader: number) => number): Failure => ({
  async strike(cluster, leader) {
    const struck = whom(cluster, leader);
    await cluster.killServer(struck);
    return struck;
  },
  mend: (cluster, struck) => cluster.restart(struck),
});

const FROZEN: Failure = {
  strike(cluster, leader) {
    cluster.freeze(leader, true);
    return leader;
  },
  async mend(cluster, struck) {
    cluster.freeze(struck, false);
    await cluster.isReady(struck);
  },
};

const CUT_OFF: Failure = {
  strike(_, leader) {
    cutOff(leader, true);
    return leader;
  },
  async mend(cluster, struck) {
    cutOff(struck, false);
    await cluster.isReady(struck);
  },
};

const FILLER = "filler";
/** Its own small file system is filled to the last byte: the member must stop, and come back once there is room. */
const FULL_DISK: Failure = {
  async strike(cluster, leader) {
    const folder = dirname(cluster.dataDir(leader));
    const fill = () => Bun.spawnSync(["sh", "-c", `cat /dev/zero >> ${join(folder, FILLER)}`], { stderr: "ignore" });
    await until(`server ${leader} stops for want of room`, () => {
      fill();
      return !cluster.isRunning(leader);
    });
    return leader;
  },
  async mend(cluster, struck) {
    rmSync(join(dirname(cluster.dataDir(struck)), FILLER), { force: true });
    await cluster.restart(struck);
  },
};

async function rounds(cluster: QuorumCluster, failure: Failure): Promise<void> {
  const load = startLoad(cluster, { tag: `r${Math.floor(random() * 1e9)}` });
  const recording = await startRecording(cluster);
  for (let round = 0; round < ROUNDS; round++) {
    await Bun.sleep(100 + random() * 400);
    const struck = await failure.strike(cluster, await cluster.leader());
    const from = load.acknowledged();
    const what = `submissions go on in round ${round} without server ${struck}`;
    await until(what, () => load.acknowledged() > from + 5, STANDSTILL_MAX_MS);
    await failure.mend(cluster, struck);
  }
  const [acknowledged, history] = await Promise.all([load.stop(), recording.stop()]);
  await cluster.agree();
  for (const at of cluster.ids) expect(await differences(cluster, { at, acknowledged })).toEqual([]);
  expect(breaches(history)).toEqual([]);
  const slowest = Math.max(...acknowledged.map((a) => a.tookMs));
  console.log(
    `${ROUNDS} rounds: ${acknowledged.length} submissions, ${history.length} register operations, slowest ${Math.round(slowest)} ms`,
  );
}

async function withCluster(options: QuorumOptions, use: (cluster: QuorumCluster) => Promise<void>): Promise<void> {
  const cluster = await QuorumCluster.start(options);
  try {
    await use(cluster);
  } catch (error) {
    for (const id of cluster.ids) console.error((await cluster.log(`server-${id}`)).split("\n").slice(-12).join("\n"));
    throw error;
  } finally {
    await cluster.stop();
  }
}

test.each([
  ["kill -9 of the leader", killed((_, leader) => leader)],
  ["kill -9 of a follower", killed(followerOf)],
  ["SIGSTOP and SIGCONT of the leader", FROZEN],
] as const)(`INV-O1 %s, ${ROUNDS} rounds (seed ${SEED})`, async (_, failure) => {
  await withCluster({}, (cluster) => rounds(cluster, failure));
});

const obstacle = networkObstacle();
if (obstacle !== undefined) console.log(`left out: partitions by network namespace: ${obstacle}`);

test.skipIf(obstacle !== undefined)(
  `INV-O1 a leader cut off from the others, ${ROUNDS} rounds (seed ${SEED})`,
  async () => {
    const ids = [1, 2, 3];
    makeNetworks(ids);
    try {
      const options: QuorumOptions = {
        wrap: inNetwork,
        hostOf: (id) => addressOf("api", id),
        raftHostOf: (id) => addressOf("raft", id),
      };
      await withCluster(options, (cluster) => rounds(cluster, CUT_OFF));
    } finally {
      removeNetworks(ids);
    }
  },
);

const mounted: string[] = [];
const unmountAll = () => {
  for (const folder of mounted.splice(0)) Bun.spawnSync(["umount", folder]);
};
beforeAll(() => {
  process.on("exit", unmountAll);
});
afterAll(unmountAll);

/** Room for the state of a round and little more. */
function mountSmall(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const made = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=64m", "none", folder]);
  if (made.exitCode !== 0) throw new Error(`mount: ${made.stderr.toString()}`);
  mounted.push(folder);
  writeFileSync(join(folder, FILLER), "");
}

test.skipIf(process.getuid?.() !== 0)(`INV-O1 a full disk of the leader, ${ROUNDS} rounds (seed ${SEED})`, async () => {
  const prepare = (cluster: QuorumCluster) => {
    for (const id of cluster.ids) mountSmall(dirname(cluster.dataDir(id)));
  };
  await withCluster({ prepare, release: unmountAll }, (cluster) => rounds(cluster, FULL_DISK));
});
