/**
 * Prints commits a second and latency through the raft worker: proposals in, committed
 * entries out, at several numbers in flight. Run with `bun tests/bench/consensus.ts`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logIndex } from "../../src/base/brand.ts";
import { openWorkerConsensus } from "../../src/io/consensus/worker-consensus.ts";
import { createLogStore } from "../../src/io/sqlite/log-store.ts";

const DURATION_MS = 1_500;
const IN_FLIGHT = [1, 16, 64, 256];
const PROPOSAL_BYTES = 300;

const workerUrl = new URL("../../src/bin/workers/raft-worker.ts", import.meta.url).href;

async function measure(inFlight: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "lattice-bench-"));
  createLogStore(dir, 1, "bench").close();
  const consensus = await openWorkerConsensus({ workerUrl, dir, memberId: 1, address: "local" });
  const data = new Uint8Array(PROPOSAL_BYTES).fill(7);
  const proposedAt: number[] = [];
  const latencies: number[] = [];
  let next = 0;
  let batches = 0;
  const propose = () => {
    proposedAt.push(performance.now());
    consensus.propose(next++, data);
  };
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const begin = performance.now();
  consensus.start(
    {
      onCommitted(entries) {
        batches += 1;
        const isOver = performance.now() - begin > DURATION_MS;
        for (const entry of entries) {
          if (entry.data.length === 0) continue;
          latencies.push(performance.now() - (proposedAt[latencies.length] ?? 0));
          if (!isOver) propose();
        }
        if (isOver && latencies.length === next) end();
      },
      onRejected: (_, fault) => console.error(fault),
      onStatus: () => undefined,
      onFailed: (fault) => console.error(fault),
    },
    logIndex(0),
  );
  for (let i = 0; i < inFlight; i++) propose();
  await over;
  const seconds = (performance.now() - begin) / 1000;
  await consensus.close();
  rmSync(dir, { recursive: true });
  latencies.sort((a, b) => a - b);
  const at = (share: number) => (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(2);
  const rate = Math.round(latencies.length / seconds);
  const batch = (latencies.length / batches).toFixed(1);
  console.log(`in flight ${inFlight}: ${rate} commits/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${batch} an fsync`);
}

for (const inFlight of IN_FLIGHT) await measure(inFlight);
