/**
 * Shows that restarting the servers of a quorum one after the other, as an upgrade does, fails no
 * call of our clients: command-line tools that submit and list all the while, and programs that
 * repeat under their idempotency key. LATTICE_TEST_ROLLS says how many rounds.
 */
import { afterEach, expect, test } from "bun:test";
import { QuorumCluster } from "../quorum-cluster.ts";
import { differences, startLoad } from "../quorum-load.ts";

const ROLLS = Number(process.env.LATTICE_TEST_ROLLS ?? 1);
/** Each is run again and again, with the number of the call. */
const COMMANDS = [
  (call: number) => ["submit", "-q", "--name", `tool-${call}`, "--wrap", "true"],
  () => ["status", "-q", "--limit", "5"],
  () => ["nodes", "-q"],
];

let cluster: QuorumCluster | undefined;
afterEach(() => cluster?.stop());

test("a rolling restart under load fails no call", async () => {
  cluster = await QuorumCluster.start();
  const { ids } = cluster;
  await cluster.startAgent("n1");
  const load = startLoad(cluster, { clients: 3 });
  const tools = startTools(cluster);
  for (let roll = 0; roll < ROLLS; roll++) {
    for (const id of ids) {
      expect(await cluster.stopServer(id)).toBe(0);
      await cluster.restart(id);
    }
  }
  const { calls, failures } = await tools.stop();
  const acknowledged = await load.stop();
  await cluster.agree();
  console.log(`${calls} calls of the command-line tool, ${acknowledged.length} of programs, ${failures.length} failed`);
  expect(failures).toEqual([]);
  expect(calls).toBeGreaterThan(ids.length * ROLLS);
  expect(acknowledged.length).toBeGreaterThan(ids.length * ROLLS);
  for (const at of ids) expect(await differences(cluster, { at, acknowledged })).toEqual([]);
}, 600_000);

/** Runs the tool again and again, each command by itself; stop() says how often, and what failed. */
function startTools(on: QuorumCluster) {
  const failures: string[] = [];
  let calls = 0;
  let isOver = false;
  const repeat = async (commandOf: (call: number) => readonly string[]): Promise<void> => {
    while (!isOver) {
      const command = commandOf(calls++);
      const { code, stderr } = await on.cli(command);
      if (code !== 0) failures.push(`${command.join(" ")} ended with ${code}: ${stderr}`);
    }
  };
  const running = COMMANDS.map(repeat);
  return {
    async stop() {
      isOver = true;
      await Promise.all(running);
      return { calls, failures };
    },
  };
}
