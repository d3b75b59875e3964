/**
 * Shows that a quorum of an earlier build becomes one of this build server by server, under load:
 * while both versions run they hold the same state, nothing acknowledged is lost, and a
 * server reads what the earlier one left on disk.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { buildPrevious, type PreviousBuild, previousObstacle } from "../e2e/operations/previous-build.ts";
import { QuorumCluster } from "../e2e/quorum-cluster.ts";
import { differences, startLoad } from "../e2e/quorum-load.ts";

const obstacle = previousObstacle();
if (obstacle !== undefined) console.log(`left out: upgrading from an earlier build: ${obstacle}`);
let previous: PreviousBuild | undefined;
let cluster: QuorumCluster | undefined;
const upgraded = new Set<number>();

beforeAll(async () => {
  if (obstacle !== undefined) return;
  previous = buildPrevious();
  const old = join(previous.dist, "lattice-server");
  cluster = await QuorumCluster.start({
    wrap: (id, [binary = "", ...flags]) => [upgraded.has(id) ? binary : old, ...flags],
  });
  await cluster.startAgent("n1");
}, 300_000);

afterAll(async () => {
  await cluster?.stop();
  previous?.remove();
});

test.skipIf(obstacle !== undefined)(
  "each server in turn, while the others serve, and nothing is lost",
  async () => {
    if (cluster === undefined) throw new Error("there is no cluster");
    const kept = await cluster.submit(1, { name: "before", entrypoint: "sleep 20; echo through" });
    await cluster.reaches(1, kept, "running");
    const load = startLoad(cluster, { clients: 2 });
    for (const id of cluster.ids) {
      expect(await cluster.stopServer(id)).toBe(0);
      upgraded.add(id);
      await cluster.restart(id);
      const before = load.acknowledged();
      while (load.acknowledged() < before + 20) await Bun.sleep(20);
      // A leader of either version: whatever it proposes, both must apply alike.
      const moved = await cluster.cli(["admin", "raft", "transfer", String(id)]);
      expect(moved.code, moved.stderr).toBe(0);
      while (load.acknowledged() < before + 40) await Bun.sleep(20);
    }
    const acknowledged = await load.stop();
    await cluster.agree();
    for (const at of cluster.ids) expect(await differences(cluster, { at, acknowledged })).toEqual([]);
    expect((await cluster.reaches(2, kept, "completed")).exit_code).toBe(0);
  },
  300_000,
);
