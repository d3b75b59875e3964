/**
 * Shows that a Worker brings the state on disk to another server over the link's port: what
 * arrives is a whole snapshot of one moment, the loop goes on meanwhile, and what keeps a
 * snapshot from arriving is told.
 */
import { expect, test } from "bun:test";
import { logIndex, term } from "../../src/base/brand.ts";
import type { Row } from "../../src/core/state/table.ts";
import { openWorkerSnapshots } from "../../src/io/peer/worker-snapshots.ts";
import { openSnapshotFile } from "../../src/io/snapshot/snapshot-file.ts";
import { openStateMirror } from "../../src/io/sqlite/state-mirror.ts";
import { RecordingListener } from "../fixtures/peer-listener.ts";
import { TcpPeerNetwork } from "../fixtures/peer-networks.ts";
import { upTo } from "../fixtures/raft-entries.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const WORKER = new URL("../../src/bin/workers/snapshot-worker.ts", import.meta.url).href;
const ROWS = 20_000;
const IDENTITY = { clusterId: "c1", memberId: 1, storeId: "store-1" };

const rowAt = (i: number): Row => {
  const id = `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
  return { table: "nodes", id, isLive: i % 2 === 0, text: JSON.stringify({ id, text: "x".repeat(400) }) };
};

test("the state of one moment arrives while writes and the loop go on", async () => {
  using temp = new TempDir();
  await using network = new TcpPeerNetwork();
  const receiver = new RecordingListener(2);
  const link = await network.open(receiver);
  const mirror = openStateMirror({ dir: temp.path, clusterId: "c1" });
  await mirror.write(
    Array.from({ length: ROWS }, (_, i) => rowAt(i)),
    upTo(100),
  );

  const snapshots = openWorkerSnapshots({ workerUrl: WORKER, dataDir: temp.path, identity: () => IDENTITY });
  let writes = 0;
  const beat = setInterval(() => {
    void mirror.write([{ table: "idempotency", id: "k", text: String(writes), isLive: true }], upTo(100 + ++writes));
  }, 5);
  const order = { to: 2, address: `127.0.0.1:${link.port}`, term: term(7), atLeast: logIndex(100) };
  const index = await snapshots.send(order);
  clearInterval(beat);
  expect(writes).toBeGreaterThan(0);
  await receiver.until(() => receiver.snapshots.length === 1);

  const [from, leaderTerm, { meta, path }] = receiver.snapshots[0] ?? [0, 0, { meta: upTo(0), path: "" }];
  expect([from, leaderTerm, meta]).toEqual([1, 7, upTo(index)]);
  expect(index).toBeGreaterThanOrEqual(100);
  const file = openSnapshotFile(path);
  expect(file.header).toMatchObject({ clusterId: "c1", applied: upTo(index) });
  expect([...file.rows()].filter(({ table }) => table === "nodes").length).toBe(ROWS);
  file.close();
  mirror.close();
}, 30_000);

test("a member that cannot be reached, and a state that ends too early, are faults with their reason", async () => {
  using temp = new TempDir();
  const mirror = openStateMirror({ dir: temp.path, clusterId: "c1" });
  await mirror.write([rowAt(0)], upTo(100));
  const snapshots = openWorkerSnapshots({ workerUrl: WORKER, dataDir: temp.path, identity: () => IDENTITY });
  const order = { to: 2, address: "127.0.0.1:1", term: term(7), atLeast: logIndex(100) };
  expect(await snapshots.send(order).catch((error: unknown) => error)).toMatchObject({
    fault: { reason: "SERVER_UNREACHABLE", message: expect.stringContaining("nothing listens there") },
  });
  expect(await snapshots.send({ ...order, atLeast: logIndex(101) }).catch((error: unknown) => error)).toMatchObject({
    fault: { reason: "INTERNAL", message: expect.stringContaining("ends at entry 100, before the entry 101") },
  });
  mirror.close();
});
