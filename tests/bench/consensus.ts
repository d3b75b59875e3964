/**
 * Prints commits a second and latency of the log at several numbers in flight: through
 * three drivers in one thread over memory, which is the code without disk, sockets and
 * threads; through the raft worker alone; and through three workers on loopback. Run with
 * `bun tests/bench/consensus.ts`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logIndex } from "../../src/base/brand.ts";
import { createPrng } from "../../src/base/prng.ts";
import { DEFAULT_DRIVER_SETTINGS } from "../../src/engine/server/raft/raft-settings.ts";
import { RaftDriver } from "../../src/engine/server/raft-driver.ts";
import { openWorkerConsensus } from "../../src/io/consensus/worker-consensus.ts";
import { createLogStore, createWaitingStore } from "../../src/io/sqlite/log-store.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import type { Consensus, ConsensusListener } from "../../src/ports/consensus.ts";
import { MemoryLogStore } from "../fixtures/memory-log-store.ts";
import { MemoryNetwork } from "../fixtures/memory-peer-link.ts";
import { percentile } from "./figure.ts";

const DURATION_MS = 1_500;
const IN_FLIGHT = [1, 16, 64, 256];
const PROPOSAL_BYTES = 300;
const READS = 2_000;

const workerUrl = new URL("../../src/bin/workers/raft-worker.ts", import.meta.url).href;
const SPANS = { electionTimeoutMs: 500, heartbeatIntervalMs: 100, logLevel: "error" } as const;

/** A group of members: the one that proposes, the others, how to end them. */
interface Group {
  readonly proposer: Consensus;
  readonly others: readonly Consensus[];
  close(): Promise<void>;
}

const listen = (onCommitted: ConsensusListener["onCommitted"]): ConsensusListener => ({
  onCommitted,
  onSnapshot: () => console.error("a snapshot came"),
  onSnapshotWanted: () => Promise.reject(new Error("there is no state")),
  onRejected: (_, fault) => console.error(fault),
  onRelayed: () => undefined,
  onStatus: () => undefined,
  onFailed: (fault) => console.error(fault),
});

/** Three drivers over memory; frames go over in the next turn of the event loop. */
function inOneThread(): Group {
  const network = new MemoryNetwork();
  const seeds = [1, 2, 3].map((id) => ({ id, address: `m${id}:9000` }));
  const members = seeds.map((peer) => ({ ...peer, isVoter: true, storeId: peer.id === 1 ? "s1" : "" }));
  const founder = { clusterId: "c", memberId: 1, storeId: "s1" };
  const drivers = seeds.map(({ id, address }) => {
    const store =
      id === 1
        ? MemoryLogStore.bootstrapped(founder, { members, departed: [] })
        : new MemoryLogStore({ memberId: id, storeId: `s${id}` });
    const common = { clock: systemClock, random: createPrng(id), settings: DEFAULT_DRIVER_SETTINGS };
    return new RaftDriver({ ...common, store, link: network.link(id), address, seeds, defer: queueMicrotask });
  });
  let isOver = false;
  const carry = () => {
    if (isOver) return;
    network.connect();
    network.deliver();
    setImmediate(carry);
  };
  carry();
  const [proposer, ...others] = drivers;
  if (!proposer) throw new Error("there are three");
  return {
    proposer,
    others,
    async close() {
      isOver = true;
      for (const driver of drivers) await driver.close();
    },
  };
}

async function inWorkers(count: number): Promise<Group> {
  const dir = mkdtempSync(join(tmpdir(), "lattice-bench-"));
  const peers = Array.from({ length: count }, (_, i) => ({ id: i + 1, address: `127.0.0.1:${19_200 + i}` }));
  const workers = await Promise.all(
    peers.map(({ id, address }) => {
      const own = join(dir, String(id));
      const store =
        id === 1
          ? createLogStore(own, { memberId: 1, clusterId: "bench", members: peers })
          : createWaitingStore(own, id);
      store.close();
      return openWorkerConsensus({
        ...SPANS,
        workerUrl,
        dir: own,
        memberId: id,
        address,
        peers: peers.filter((peer) => peer.id !== id),
        listen: count === 1 ? undefined : { host: "127.0.0.1", port: 19_199 + id },
      });
    }),
  );
  const [proposer, ...others] = workers;
  if (!proposer) throw new Error("there is at least one");
  return {
    proposer,
    others,
    async close() {
      for (const worker of workers) await worker.close();
      rmSync(dir, { recursive: true });
    },
  };
}

async function measure(name: string, group: Group, inFlight: number): Promise<void> {
  const { proposer, others } = group;
  const data = new Uint8Array(PROPOSAL_BYTES).fill(7);
  const proposedAt: number[] = [];
  const latencies: number[] = [];
  let batches = 0;
  let isOver = false;
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const propose = () => {
    proposer.propose(proposedAt.length, data);
    proposedAt.push(performance.now());
  };
  for (const other of others)
    other.start(
      listen(() => undefined),
      logIndex(0),
    );
  proposer.start(
    listen((entries) => {
      batches += 1;
      for (const entry of entries) {
        if (entry.kind !== "command") continue;
        latencies.push(performance.now() - (proposedAt[latencies.length] ?? 0));
        if (!isOver) propose();
      }
      if (isOver && latencies.length === proposedAt.length) end();
    }),
    logIndex(0),
  );
  while (proposer.status().leader === undefined) await Bun.sleep(10);
  await Bun.sleep(300);
  const begin = performance.now();
  for (let i = 0; i < inFlight; i++) propose();
  await Bun.sleep(DURATION_MS);
  isOver = true;
  await over;
  const rate = Math.round((latencies.length / (performance.now() - begin)) * 1000);
  const [p50, p99] = [50, 99].map((percent) => percentile(latencies, percent).toFixed(2));
  const batch = (latencies.length / batches).toFixed(1);
  console.log(`${name}, ${inFlight} in flight: ${rate} commits/s, p50 ${p50} ms, p99 ${p99} ms, ${batch} a batch`);
}

/** Linearizable reads, one after the other. */
async function measureReads(name: string, reader: Consensus): Promise<void> {
  const latencies: number[] = [];
  for (let i = 0; i < READS; i++) {
    const begin = performance.now();
    await reader.readIndex();
    latencies.push(performance.now() - begin);
  }
  console.log(
    `${name}: a read index takes ${percentile(latencies, 50).toFixed(3)} ms, p99 ${percentile(latencies, 99).toFixed(3)} ms`,
  );
}

for (const [name, open] of [
  ["three drivers in one thread", async () => inOneThread()],
  ["one worker", () => inWorkers(1)],
  ["three workers", () => inWorkers(3)],
] as const) {
  for (const inFlight of IN_FLIGHT) {
    const group = await open();
    await measure(name, group, inFlight);
    if (inFlight === 1) {
      await measureReads(`${name}, leader`, group.proposer);
      for (const other of group.others.slice(0, 1)) await measureReads(`${name}, follower`, other);
    }
    await group.close();
  }
}

for (const inFlight of IN_FLIGHT) {
  const { proposer: leader, others, close } = await inWorkers(3);
  const [proposer, other] = others;
  if (proposer && other)
    await measure("three workers, by a follower", { proposer, others: [leader, other], close }, inFlight);
  await close();
}
