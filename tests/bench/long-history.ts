/**
 * What a long history costs: `bun tests/bench/long-history.ts [ENDED]` makes a member with
 * so many ended allocations (1,000,000 unless told), and prints how long a start takes,
 * and for how long at most the server's loop stands still under load: alone, while a
 * snapshot is made, and while a received one is put in place.
 */
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logIndex, term } from "../../src/base/brand.ts";
import { canonicalEncode } from "../../src/base/canonical-encode.ts";
import type { AllocationId } from "../../src/core/domain/ids.ts";
import { allocationId, userId } from "../../src/core/domain/ids.ts";
import type { SnapshotMeta } from "../../src/core/raft/raft-types.ts";
import type { Row } from "../../src/core/state/table.ts";
import { Replica } from "../../src/engine/server/replica.ts";
import { openWorkerConsensus } from "../../src/io/consensus/worker-consensus.ts";
import { stagedSnapshotPath } from "../../src/io/snapshot/staging.ts";
import { createLogStoreAt } from "../../src/io/sqlite/log-store.ts";
import { openMirrorWriter } from "../../src/io/sqlite/mirror-writer.ts";
import { openWorkerMirror } from "../../src/io/sqlite/worker-mirror.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { aSpec } from "../fixtures/builders.ts";
import { listedLog } from "../fixtures/listed-log.ts";
import type { Figure } from "./figure.ts";
import { percentile, printFigures, printMachine } from "./figure.ts";
import type { SnapshotOfFolder } from "./snapshot-writer.ts";

const ENDED = Number(process.argv[2] ?? 1_000_000);
const IN_FLIGHT = 64;
const LOAD_MS = 5_000;
const ROWS_AT_ONCE = 5_000;
/** As housekeeping does. */
const ARCHIVED_AT_ONCE = 500;
const SELF = { id: 1, address: "local:1" };
const ANN = userId("ann");

const workerUrl = (name: string) => new URL(`../../src/bin/workers/${name}.ts`, import.meta.url).href;

/** Makes a member whose log begins after ENDED, and whose state has as many ended allocations. */
function makeHistory(dir: string): void {
  const at = { index: logIndex(ENDED), term: term(1) };
  const store = createLogStoreAt(dir, { memberId: 1, clusterId: "bench", members: [SELF] }, at);
  const [membership] = store.load().memberships;
  store.close();
  if (!membership) throw new Error("the log has no membership");
  const writer = openMirrorWriter({ dir, clusterId: "bench" });
  const applied: SnapshotMeta = { ...at, membership };
  for (let from = 1; from <= ENDED; from += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, ENDED - from + 1);
    writer.write(
      Array.from({ length: count }, (_, i) => endedRow(from + i)),
      applied,
    );
  }
  writer.sync();
  writer.close();
}

function endedRow(n: number): Row {
  const id = crypto.randomUUID();
  const times = { createdAt: n, startedAt: n, endedAt: n };
  const record = { id, shortId: n, user: ANN, state: "completed", spec: aSpec({ name: `work ${n}` }), ...times };
  return { table: "allocations", id, text: canonicalEncode(record), isLive: false };
}

/** Starts the member and returns it once it leads and has applied everything. */
async function start(dir: string) {
  const consensus = await openWorkerConsensus({
    ...{ workerUrl: workerUrl("raft-worker"), dir, memberId: 1, address: SELF.address, peers: [], listen: undefined },
    ...{ electionTimeoutMs: 500, heartbeatIntervalMs: 100, logLevel: "error" },
  });
  const mirror = await openWorkerMirror({ workerUrl: workerUrl("mirror-worker"), dir, clusterId: () => "bench" });
  const replica = new Replica({
    ...{ proposer: crypto.randomUUID(), mirror, consensus, clock: systemClock, log: listedLog() },
    snapshots: { send: async () => mirror.applied().index },
    snapshotThreshold: 10_000,
    onFailed: (cause) => {
      throw new Error(cause.message);
    },
  });
  replica.start();
  while (!replica.isLeader) await Bun.sleep(1);
  await replica.readBarrier();
  await replica.propose({ kind: "initialize-cluster", clusterId: "bench" }, ANN);
  return { replica, mirror };
}

/** Milliseconds for which this thread has been ready to run while others had the processors. */
const waitedMs = (): number =>
  Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;

/**
 * Submits, cancels and archives with IN_FLIGHT callers while `work` runs, at least for
 * LOAD_MS. Returns the longest time between two turns of the loop, less what the thread
 * had to wait for a processor: other programs run on the machine too.
 */
async function underLoad(replica: Replica, work: () => Promise<unknown>) {
  const stalls: number[] = [];
  let longestGap = 0;
  let [lastAt, lastWaited] = [performance.now(), waitedMs()];
  const beat = setInterval(() => {
    const [at, waited] = [performance.now(), waitedMs()];
    longestGap = Math.max(longestGap, at - lastAt);
    stalls.push(at - lastAt - (waited - lastWaited));
    [lastAt, lastWaited] = [at, waited];
  }, 1);
  let isOver = false;
  let submitted = 0;
  let ended: AllocationId[] = [];
  const submit = async (): Promise<void> => {
    while (!isOver) {
      const id = allocationId(crypto.randomUUID());
      await replica.propose({ kind: "submit-allocation", allocation: { id, spec: aSpec(), dependencies: [] } }, ANN);
      await replica.propose({ kind: "cancel", target: id }, ANN);
      submitted += 1;
      ended.push(id);
      if (ended.length < ARCHIVED_AT_ONCE) continue;
      const ids = ended;
      ended = [];
      await replica.propose({ kind: "archive", ids }, ANN);
    }
  };
  const callers = Array.from({ length: IN_FLIGHT }, submit);
  const began = performance.now();
  await Promise.all([work(), Bun.sleep(LOAD_MS)]);
  isOver = true;
  await Promise.all(callers);
  clearInterval(beat);
  const rate = Math.round((submitted * 1_000) / (performance.now() - began));
  const note = `p99.9 ${percentile(stalls, 99.9).toFixed(1)} ms, by the clock at most ${longestGap.toFixed(0)} ms; ${rate} allocations/s`;
  return { longest: Math.max(...stalls), note };
}

function makeSnapshot(dir: string, path: string): Promise<{ readonly meta: SnapshotMeta; readonly bytes: number }> {
  const worker = new Worker(new URL("./snapshot-writer.ts", import.meta.url).href);
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data);
    };
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage({ dir, path } satisfies SnapshotOfFolder);
  });
}

/** A follower that waits gets the snapshot while this thread beats. */
async function replaceState(dir: string, from: string, meta: SnapshotMeta) {
  const mirror = await openWorkerMirror({ workerUrl: workerUrl("mirror-worker"), dir, clusterId: () => "" });
  const path = stagedSnapshotPath(dir, meta);
  renameSync(from, path);
  await mirror.replace({ meta, path });
  const found = mirror.applied().index;
  await mirror.close();
  return found;
}

async function main(root: string): Promise<readonly Figure[]> {
  const dir = join(root, "member");
  const seconds = async (work: () => unknown): Promise<number> => {
    const began = performance.now();
    await work();
    return (performance.now() - began) / 1_000;
  };
  console.log(`${ENDED} ended allocations made in ${(await seconds(() => makeHistory(dir))).toFixed(1)} s\n`);
  const figures: Figure[] = [];
  const add = (name: string, value: number, rest: Omit<Figure, "name" | "value">) =>
    figures.push({ name, value, ...rest });

  let running = await start(dir);
  const alone = await underLoad(running.replica, async () => undefined);
  add("longest stall under load", alone.longest, { unit: "ms", target: { atMost: 50 }, note: alone.note });
  const path = join(root, "snapshot");
  let made = { bytes: 0, meta: running.mirror.applied() };
  let took = 0;
  const snapshotting = await underLoad(running.replica, async () => {
    took = await seconds(async () => {
      made = await makeSnapshot(dir, path);
    });
  });
  const size = `${Math.round(made.bytes / 1e6)} MB; ${snapshotting.note}`;
  add("  while a snapshot is made", snapshotting.longest, { unit: "ms", target: { atMost: 50 }, note: size });
  add("snapshot made in", took, { unit: "s" });
  const replacing = await underLoad(running.replica, async () => {
    took = await seconds(() => replaceState(join(root, "other"), path, made.meta));
  });
  add("longest stall while a snapshot is put in place", replacing.longest, {
    ...{ unit: "ms", target: { atMost: 50 }, note: replacing.note },
  });
  add("snapshot put in place in", took, { unit: "s" });
  await running.replica.close();
  const restart = await seconds(async () => {
    running = await start(dir);
  });
  const { size: live } = running.replica.state.tables.allocations;
  add("restart", restart, { unit: "s", target: { atMost: 5 }, note: `${live} live allocations` });
  await running.replica.close();
  return figures;
}

const root = mkdtempSync(join(tmpdir(), "lattice-bench-"));
try {
  printMachine();
  printFigures(await main(root));
} finally {
  rmSync(root, { recursive: true, force: true });
}
