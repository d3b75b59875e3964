/**
 * Shows that a snapshot between servers arrives whole or not at all: the sender hears that
 * it is there only once it is, and what was damaged or broken off leaves nothing behind.
 */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { logIndex, term } from "../../src/base/brand.ts";
import type { SnapshotMeta } from "../../src/core/raft/raft-types.ts";
import type { SnapshotSource } from "../../src/io/peer/snapshot-sender.ts";
import { sendSnapshot } from "../../src/io/peer/snapshot-sender.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { RecordingListener } from "../fixtures/peer-listener.ts";
import { TcpPeerNetwork } from "../fixtures/peer-networks.ts";
import { TcpProxy } from "../fixtures/tcp-proxy.ts";

const CHUNK_BYTES = 600_000;

const metaAt = (index: number): SnapshotMeta => ({
  index: logIndex(index),
  term: term(2),
  membership: {
    index: logIndex(1),
    membership: { members: [{ id: 1, address: "server-1:9000", storeId: "store-1", isVoter: true }], departed: [9] },
  },
});

function* chunksOf(count: number): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) yield new Uint8Array(CHUNK_BYTES).map((_, at) => at * (i + 3));
}

const source = (index: number, count: number): SnapshotSource => ({ meta: metaAt(index), chunks: chunksOf(count) });
const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const wholeHash = (count: number): string => hashOf(Buffer.concat([...chunksOf(count)]));

interface Receiver {
  readonly network: TcpPeerNetwork;
  readonly listener: RecordingListener;
  readonly proxy: TcpProxy;
  send(source: SnapshotSource, options?: { readonly leaderTerm?: number; readonly clusterId?: string }): Promise<void>;
}

/** Runs `use` with a member 2 behind a proxy, and a sender. */
async function withReceiver(use: (receiver: Receiver) => Promise<void>): Promise<void> {
  await using network = new TcpPeerNetwork();
  const listener = new RecordingListener(2);
  const link = await network.open(listener);
  await using proxy = await TcpProxy.to(link.port);
  const { address } = proxy;
  await use({
    network,
    listener,
    proxy,
    send: (given, { leaderTerm = 3, clusterId = "c1" } = {}) => {
      const identity = { clusterId, memberId: 1, storeId: "store-1" };
      return sendSnapshot({ to: 2, address, term: term(leaderTerm) }, given, { identity, clock: systemClock });
    },
  });
}

const refusalOf = (sent: Promise<void>): Promise<unknown> =>
  sent.then(() => "it arrived").catch((error: unknown) => error);

test("a snapshot arrives whole, with what it stands for, under its own name", () =>
  withReceiver(async ({ network, listener, send }) => {
    await send(source(70, 20));
    await listener.until(() => listener.snapshots.length === 1);
    const [from, leaderTerm, { meta, path }] = listener.snapshots[0] ?? [0, 0, { meta: metaAt(0), path: "" }];
    expect([from, leaderTerm, meta, path]).toEqual([1, 3, metaAt(70), network.dir.join("snapshot-2-70")]);
    expect(hashOf(readFileSync(path))).toBe(wholeHash(20));
    expect(readdirSync(network.dir.path)).toEqual(["snapshot-2-70"]);
  }));

test("an empty snapshot arrives too", () =>
  withReceiver(async ({ listener, send }) => {
    await send(source(1, 0));
    await listener.until(() => listener.snapshots.length === 1);
    expect(readFileSync(listener.snapshots[0]?.[2].path ?? "").length).toBe(0);
  }));

test("two in a row both arrive", () =>
  withReceiver(async ({ listener, send }) => {
    await send(source(70, 3));
    await send(source(80, 4));
    await listener.until(() => listener.snapshots.length === 2);
    expect(listener.snapshots.map(([, , { meta }]) => Number(meta.index))).toEqual([70, 80]);
    expect(hashOf(readFileSync(listener.snapshots[1]?.[2].path ?? ""))).toBe(wholeHash(4));
  }));

test("a damaged one does not arrive, leaves nothing, and the next attempt does", () =>
  withReceiver(async ({ network, listener, proxy, send }) => {
    proxy.damage = (bytes) => {
      if (proxy.forwarded < 3_000_000) return bytes;
      const damaged = Buffer.from(bytes);
      damaged[0] = (damaged[0] ?? 0) ^ 4;
      return damaged;
    };
    expect(await refusalOf(send(source(70, 20)))).toMatchObject({
      name: "LatticeError",
      fault: { reason: "SERVER_UNREACHABLE", message: expect.stringContaining("did not arrive at server 2") },
    });
    proxy.damage = (bytes) => bytes;
    await send(source(70, 20));
    await listener.until(() => listener.snapshots.length === 1);
    expect(readdirSync(network.dir.path)).toEqual(["snapshot-2-70"]);
  }));

test("one that is cut off does not arrive and leaves nothing", () =>
  withReceiver(async ({ network, listener, proxy, send }) => {
    const sent = refusalOf(send(source(70, 40)));
    await proxy.untilForwarded(5_000_000);
    proxy.cut();
    expect(await sent).toMatchObject({ fault: { reason: "SERVER_UNREACHABLE" } });
    await send(source(71, 1));
    await listener.until(() => listener.snapshots.length === 1);
    while (readdirSync(network.dir.path).length > 1) await Bun.sleep(20);
    expect(readdirSync(network.dir.path)).toEqual(["snapshot-2-71"]);
  }));

test("a newer one takes the place of one under way; one of an earlier leader does not", () =>
  withReceiver(async ({ listener, proxy, send }) => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(5);
      await held;
    }
    const first = refusalOf(send({ meta: metaAt(70), chunks: slow() }, { leaderTerm: 5 }));
    await proxy.untilForwarded(3_000_000);
    expect(await refusalOf(send(source(60, 1), { leaderTerm: 4 }))).toMatchObject({
      fault: { message: expect.stringContaining("a snapshot of term 5 is on its way already") },
    });
    await send(source(80, 2), { leaderTerm: 6 });
    release();
    expect(await first).toMatchObject({ fault: { reason: "SERVER_UNREACHABLE" } });
    expect(listener.snapshots.map(([, , { meta }]) => Number(meta.index))).toEqual([80]);
  }));

test("a receiver that cannot write says why", async () => {
  await using network = new TcpPeerNetwork();
  const listener = new RecordingListener(2);
  const link = await network.open(listener, { snapshotPath: () => network.dir.join("none", "snapshot") });
  const address = `127.0.0.1:${link.port}`;
  const identity = { clusterId: "c1", memberId: 1, storeId: "store-1" };
  const options = { identity, clock: systemClock };
  const sent = sendSnapshot({ to: 2, address, term: term(3) }, source(70, 20), options);
  expect(await refusalOf(sent)).toMatchObject({ fault: { message: expect.stringContaining("ENOENT") } });
  expect(listener.snapshots).toEqual([]);
});

test("a member of another cluster gets none", () =>
  withReceiver(async ({ listener, send }) => {
    expect(await refusalOf(send(source(70, 1), { clusterId: "c2" }))).toMatchObject({
      fault: { message: expect.stringContaining("cluster c1") },
    });
    expect(listener.snapshots).toEqual([]);
  }));

test(
  "frames of the link pass while a snapshot is on its way",
  () =>
    withReceiver(async ({ network, listener, proxy, send }) => {
      const leader = new RecordingListener(1);
      const link = await network.open(leader);
      link.setPeers(network.peers().filter(({ id }) => id === 2));
      await leader.untilLinked(2);
      const sent = send(source(70, 100));
      await proxy.untilForwarded(1_000_000);
      link.send(2, { kind: "relay", data: Uint8Array.of(1) });
      await listener.until(() => listener.frames.length === 1);
      expect(listener.snapshots).toEqual([]);
      await sent;
    }),
  30_000,
);
