/**
 * Shows that every PeerLink keeps the promises of its port: ends introduce themselves and
 * judge each other, frames come unchanged and in order, links come back, and each loss is
 * told exactly once. The real one runs over loopback, the one in memory lets frames go as
 * soon as it can.
 */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../src/base/brand.ts";
import type { PeerAddress, PeerFrame, PeerLink } from "../../src/ports/peer-link.ts";
import { RecordingListener } from "../fixtures/peer-listener.ts";
import type { PeerNetwork } from "../fixtures/peer-networks.ts";
import { MemoryPeerNetwork, TcpPeerNetwork } from "../fixtures/peer-networks.ts";
import { anEntry } from "../fixtures/raft-entries.ts";

const NETWORKS: readonly (readonly [string, new () => PeerNetwork])[] = [
  ["framed TCP", TcpPeerNetwork],
  ["memory", MemoryPeerNetwork],
];

const relay = (...bytes: readonly number[]): PeerFrame => ({ kind: "relay", data: Uint8Array.from(bytes) });

/** Opens the members and makes them know each other. */
async function meet(network: PeerNetwork, listeners: readonly RecordingListener[]): Promise<readonly PeerLink[]> {
  const links: PeerLink[] = [];
  for (const listener of listeners) links.push(await network.open(listener));
  for (const [i, link] of links.entries()) link.setPeers(othersThan(listeners[i]?.memberId, network));
  return links;
}

const othersThan = (memberId: number | undefined, network: PeerNetwork): readonly PeerAddress[] =>
  network.peers().filter(({ id }) => id !== memberId);

/** Every loss follows a link, every link a loss. */
function expectPaired(listener: RecordingListener, member: number): void {
  const events = listener.links.filter((event) => event.endsWith(String(member)));
  expect(events).toEqual(events.map((_, i) => `${i % 2 === 0 ? "+" : "-"}${member}`));
}

describe.each(NETWORKS)("peer link: %s", (_, Network) => {
  test("members introduce themselves to each other", async () => {
    await using network = new Network();
    const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
    await meet(network, [a, b]);
    await a.untilLinked(2);
    await b.untilLinked(1);
    expect(a.judged).toContainEqual({ clusterId: "c1", memberId: 2, storeId: "store-2" });
    expect(b.judged).toContainEqual({ clusterId: "c1", memberId: 1, storeId: "store-1" });
  });

  test("frames of each kind arrive unchanged and in the order in which they were sent", async () => {
    await using network = new Network();
    const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
    const [link] = await meet(network, [a, b]);
    await a.untilLinked(2);
    const entries = [anEntry(1, 1, "x"), anEntry(2, 1, "y")];
    const log = { prevIndex: logIndex(0), prevTerm: term(0), commit: logIndex(0) };
    const sent: readonly PeerFrame[] = [
      { kind: "raft", message: { kind: "append", term: term(1), ...log, entries } },
      {
        kind: "forward",
        proposals: [
          { proposal: 7, data: Uint8Array.of(1) },
          { proposal: 8, data: new Uint8Array() },
        ],
      },
      { kind: "forward-rejected", proposals: [7, 8], reason: "overloaded" },
      ...Array.from({ length: 500 }, (_, i) => relay(i & 255, i >> 8)),
    ];
    for (const frame of sent) link?.send(2, frame);
    await b.until(() => b.frames.length === sent.length);
    expect(b.frames).toEqual(sent.map((frame) => [1, frame]));
  });

  test("a frame may be as big as the largest batch", async () => {
    await using network = new Network();
    const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
    const [link] = await meet(network, [a, b]);
    await a.untilLinked(2);
    const data = new Uint8Array(17 * 1024 * 1024).map((_, i) => i * 7);
    link?.send(2, { kind: "relay", data });
    link?.send(2, relay(1));
    await b.until(() => b.frames.length === 2);
    const [first] = b.frames;
    expect(first?.[1].kind === "relay" && Bun.hash(first[1].data) === Bun.hash(data)).toBe(true);
    expect(b.frames[1]).toEqual([1, relay(1)]);
  });

  test("a member that is not admitted gets no link, and gets one once it is", async () => {
    await using network = new Network();
    const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
    a.refusals.set(2, "another store");
    await meet(network, [a, b]);
    await a.until(() => a.judged.length >= 2);
    expect([a.links, b.links]).toEqual([[], []]);
    a.refusals.clear();
    await a.untilLinked(2);
    await b.untilLinked(1);
  });

  test("members of two clusters get no link", async () => {
    await using network = new Network();
    const [a, b] = [new RecordingListener(1, "c1"), new RecordingListener(2, "c2")];
    await meet(network, [a, b]);
    await a.until(() => a.judged.length >= 1);
    expect([a.links, b.links]).toEqual([[], []]);
  });

  test("a member that waits to join adopts the cluster of whom it meets", async () => {
    await using network = new Network();
    const [a, b] = [new RecordingListener(1, "c1"), new RecordingListener(2, "")];
    await meet(network, [a, b]);
    await a.untilLinked(2);
    await b.untilLinked(1);
    expect(b.clusterId).toBe("c1");
  });

  test("a member that waits to join does not adopt a cluster that refuses it", async () => {
    await using network = new Network();
    const [a, b] = [new RecordingListener(1, "c1"), new RecordingListener(2, "")];
    a.refusals.set(2, "it has been emptied");
    await meet(network, [a, b]);
    await a.until(() => a.judged.length >= 2);
    expect([b.clusterId, b.judged]).toEqual(["", []]);
  });

  test("a member that leaves is lost once, and linked again when it is back", async () => {
    await using network = new Network();
    const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
    const [link, other] = await meet(network, [a, b]);
    await a.untilLinked(2);
    await other?.close();
    await a.until(() => a.links.includes("-2"));
    link?.send(2, relay(1));
    const back = await network.open(b);
    back.setPeers(othersThan(2, network));
    await a.until(() => a.links.length === 3);
    link?.send(2, relay(2));
    await b.until(() => b.frames.length === 1);
    expect(b.frames).toEqual([[1, relay(2)]]);
    expectPaired(a, 2);
  });

  test("a link to a member that is no peer any more ends, and comes back with it", async () => {
    await using network = new Network();
    const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
    const [link] = await meet(network, [a, b]);
    await a.untilLinked(2);
    link?.setPeers([]);
    await a.until(() => a.links.includes("-2"));
    link?.send(2, relay(1));
    link?.setPeers(othersThan(1, network));
    await a.until(() => a.links.length === 3);
    link?.send(2, relay(2));
    await b.until(() => b.frames.length === 1);
    expect(b.frames).toEqual([[1, relay(2)]]);
    expectPaired(a, 2);
  });

  test("three members are linked, each with each, and frames say whose they are", async () => {
    await using network = new Network();
    const listeners = [new RecordingListener(1), new RecordingListener(2), new RecordingListener(3)];
    const links = await meet(network, listeners);
    for (const listener of listeners) {
      for (const other of listeners) if (other !== listener) await listener.untilLinked(other.memberId);
    }
    links[0]?.send(3, relay(1));
    links[1]?.send(3, relay(2));
    const [, , c] = listeners;
    await c?.until(() => c.frames.length === 2);
    expect(c?.frames.toSorted(([x], [y]) => x - y)).toEqual([
      [1, relay(1)],
      [2, relay(2)],
    ]);
  });
});
