/**
 * Shows that the server counts as alive only while the thread of its log answers: a raft
 * worker that runs tells its status again and again, one that hangs does not, and then
 * systemd gets no sign of life.
 */
import { expect, test } from "bun:test";
import { logIndex } from "../../src/base/brand.ts";
import { openWorkerConsensus } from "../../src/io/consensus/worker-consensus.ts";
import { createJsonLogger } from "../../src/io/json-logger.ts";
import { createLogStore } from "../../src/io/sqlite/log-store.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { serviceManager } from "../../src/io/systemd/service-manager.ts";
import type { ConsensusListener } from "../../src/ports/consensus.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const RAFT_WORKER = new URL("../../src/bin/workers/raft-worker.ts", import.meta.url).href;
const HANGING_WORKER = new URL("../fixtures/hanging-worker.ts", import.meta.url).href;
/** The worker tells its status four times a second. */
const WATCHDOG_MS = 3_000;

const IGNORE: ConsensusListener = {
  onCommitted() {},
  onSnapshot() {},
  onSnapshotWanted: () => Promise.reject(new Error("there is no other server")),
  onRejected() {},
  onRelayed() {},
  onStatus() {},
  onFailed() {},
};

/** Starts a member alone and returns the signs of life that it gave in two periods of the watchdog. */
async function signsOf(workerUrl: string, isCounted: (sign: string) => boolean): Promise<number> {
  using dir = new TempDir();
  createLogStore(dir.path, { memberId: 1, clusterId: "c1", members: [{ id: 1, address: "here:9000" }] }).close();
  const consensus = await openWorkerConsensus({
    ...{ workerUrl, dir: dir.path, memberId: 1, address: "here:9000", peers: [], listen: undefined },
    ...{ electionTimeoutMs: 500, heartbeatIntervalMs: 100, logLevel: "error" },
  });
  consensus.start(IGNORE, logIndex(0));
  const signs: string[] = [];
  const env = { NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: String(WATCHDOG_MS * 1000) };
  const parts = {
    clock: systemClock,
    log: createJsonLogger(() => {}, "error"),
    isAlive: (withinMs: number) => consensus.isAnswering(withinMs),
  };
  const datagrams = { send: (_: string, text: string) => signs.push(text) > 0, monotonicMicros: () => 0n };
  const manager = serviceManager(env, parts, () => datagrams);
  await Bun.sleep(WATCHDOG_MS / 2);
  manager.ready("test");
  await Bun.sleep(2 * WATCHDOG_MS);
  void consensus.close();
  return signs.filter(isCounted).length;
}

const isSign = (text: string): boolean => text.includes("WATCHDOG=1");

test.concurrent("while the worker answers, signs of life are given", async () => {
  expect(await signsOf(RAFT_WORKER, isSign)).toBeGreaterThanOrEqual(4);
}, 30_000);

test.concurrent("while the worker hangs, none is given", async () => {
  expect(await signsOf(HANGING_WORKER, isSign)).toBe(0);
}, 30_000);
