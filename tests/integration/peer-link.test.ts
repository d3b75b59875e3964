/**
 * Shows that the links between servers bear what networks and strangers do: silence without
 * an end, bytes that are none of theirs, damage, a taken port, an end that does not read.
 */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { createPrng } from "../../src/base/prng.ts";
import type { PeerFrame } from "../../src/ports/peer-link.ts";
import { RecordingListener } from "../fixtures/peer-listener.ts";
import { TcpPeerNetwork } from "../fixtures/peer-networks.ts";
import { TcpProxy } from "../fixtures/tcp-proxy.ts";

/** Above the silence after which a link counts as dead, and the time of a handshake. */
const PATIENCE_MS = 30_000;

const relay = (...bytes: readonly number[]): PeerFrame => ({ kind: "relay", data: Uint8Array.from(bytes) });

/** Sends bytes to a port and returns how many came back before the other end hung up. */
function speak(port: number, bytes: string | Uint8Array): Promise<number> {
  return new Promise((resolve) => {
    let received = 0;
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(received));
  });
}

test("a taken port is an error that names it and what to do", async () => {
  await using network = new TcpPeerNetwork();
  const { port } = await network.open(new RecordingListener(1));
  const refused = await network
    .open(new RecordingListener(2), { listen: { host: "127.0.0.1", port } })
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({
    name: "LatticeError",
    fault: {
      reason: "INTERNAL",
      message: `127.0.0.1:${port}, where the other servers dial, is in use by another process`,
      next: "end that process, or set another quorum.raft_listen_address",
    },
  });
});

test("who speaks another protocol is hung up on, and links go on", async () => {
  await using network = new TcpPeerNetwork();
  const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
  const link = await network.open(a);
  const other = await network.open(b);
  link.setPeers(network.peers());
  await a.untilLinked(2);
  expect(await speak(other.port, "GET / HTTP/1.1\r\nHost: server\r\n\r\n")).toBe(0);
  expect(await speak(other.port, new Uint8Array(100_000).fill(0xff))).toBe(0);
  link.send(2, relay(1));
  await b.until(() => b.frames.length === 1);
  expect(a.links).toEqual(["+2"]);
});

test(
  "who says nothing is hung up on after a while",
  async () => {
    await using network = new TcpPeerNetwork();
    const { port } = await network.open(new RecordingListener(1));
    expect(await speak(port, "")).toBeLessThan(100);
    expect(network.lines.map(({ message }) => message)).toContain("a stranger called");
  },
  PATIENCE_MS,
);

test("a damaged frame ends the connection and is never passed on", async () => {
  await using network = new TcpPeerNetwork();
  const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
  const link = await network.open(a);
  await using proxy = await TcpProxy.to((await network.open(b)).port);
  link.setPeers([{ id: 2, address: proxy.address }]);
  await a.untilLinked(2);
  proxy.damage = (bytes) => {
    const damaged = Buffer.from(bytes);
    damaged[damaged.length - 1] = (damaged[damaged.length - 1] ?? 0) ^ 1;
    return damaged;
  };
  link.send(2, relay(1, 2, 3));
  await a.until(() => a.links.includes("-2"));
  proxy.damage = (bytes) => bytes;
  await a.until(() => a.links.length === 3);
  link.send(2, relay(4));
  await b.until(() => b.frames.length > 0);
  expect(b.frames).toEqual([[1, relay(4)]]);
});

test(
  "a network that goes silent without closing anything ends the link once",
  async () => {
    await using network = new TcpPeerNetwork();
    const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
    const link = await network.open(a);
    await using proxy = await TcpProxy.to((await network.open(b)).port);
    link.setPeers([{ id: 2, address: proxy.address }]);
    await a.untilLinked(2);
    const frozenAt = performance.now();
    proxy.freeze();
    await a.until(() => a.links.includes("-2"));
    expect(performance.now() - frozenAt).toBeGreaterThan(1_500);
    proxy.cut();
    proxy.thaw();
    await a.until(() => a.links.length === 3);
    expect(a.links).toEqual(["+2", "-2", "+2"]);
    expect(network.lines.find(({ message }) => message === "lost the link with a server")).toMatchObject({
      reason: "silent for 3 s",
    });
  },
  PATIENCE_MS,
);

test(
  "an idle link stays",
  async () => {
    await using network = new TcpPeerNetwork();
    const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
    const link = await network.open(a);
    await network.open(b);
    link.setPeers(network.peers());
    await a.untilLinked(2);
    await Bun.sleep(5_500);
    expect(a.links).toEqual(["+2"]);
  },
  PATIENCE_MS,
);

test(
  "more waiting than allowed breaks the link once, and sends go nowhere until it is back",
  async () => {
    await using network = new TcpPeerNetwork();
    const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
    const queueBytesMax = 32 * 1024 * 1024;
    const link = await network.open(a, { queueBytesMax });
    await using proxy = await TcpProxy.to((await network.open(b)).port);
    link.setPeers([{ id: 2, address: proxy.address }]);
    await a.untilLinked(2);
    proxy.freeze();
    const data = new Uint8Array(1024 * 1024);
    for (let sent = 0; sent < 2 * queueBytesMax; sent += data.length) link.send(2, { kind: "relay", data });
    await a.until(() => a.links.includes("-2"));
    expect(a.links).toEqual(["+2", "-2"]);
    proxy.cut();
    proxy.thaw();
    await a.until(() => a.links.length === 3);
    link.send(2, relay(9));
    await b.until(() => b.frames.at(-1)?.[1].kind === "relay" && Bun.deepEquals(b.frames.at(-1)?.[1], relay(9)));
  },
  PATIENCE_MS,
);

test("a refusal is written to both logs once, not once per attempt", async () => {
  await using network = new TcpPeerNetwork();
  const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
  a.refusals.set(2, "it has been emptied: remove it and add it again");
  await network.open(a);
  const link = await network.open(b);
  link.setPeers(network.peers());
  await a.until(() => a.judged.length >= 4);
  const said = network.lines.filter(({ reason }) => String(reason).includes("it has been emptied"));
  expect(said.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    "warn: a server that called is not admitted",
    "warn: no link with a server",
  ]);
});

test("a server at another's address is told apart by its number", async () => {
  await using network = new TcpPeerNetwork();
  const [a, b] = [new RecordingListener(1), new RecordingListener(3)];
  const link = await network.open(a);
  const { port } = await network.open(b);
  link.setPeers([{ id: 2, address: `127.0.0.1:${port}` }]);
  const isTold = () => network.lines.some(({ reason }) => String(reason).includes("this is server 3 and not 2"));
  while (!isTold()) await Bun.sleep(20);
  expect([a.links, a.judged, b.judged]).toEqual([[], [], []]);
});

test("a member that is not where it was is found where the configuration says", async () => {
  await using network = new TcpPeerNetwork();
  const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
  const link = await network.open(a);
  const { port } = await network.open(b);
  link.setPeers([{ id: 2, address: "127.0.0.1:1", alternate: `127.0.0.1:${port}` }]);
  await a.untilLinked(2);
  link.send(2, relay(1));
  await b.until(() => b.frames.length === 1);
});

test("an address that is none is told, and does not keep others from being linked", async () => {
  await using network = new TcpPeerNetwork();
  const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
  const link = await network.open(a);
  await network.open(b);
  link.setPeers([...network.peers(), { id: 3, address: "server-3" }, { id: 4, address: "server.invalid:9000" }]);
  await a.untilLinked(2);
  const reasonFor = (member: number) => network.lines.find((line) => line.member === member && line.level === "warn");
  while (reasonFor(3) === undefined || reasonFor(4) === undefined) await Bun.sleep(20);
  expect(reasonFor(3)).toMatchObject({ reason: '"server-3" is no address HOST:PORT' });
  expect(reasonFor(4)).toMatchObject({ address: "server.invalid:9000" });
});

test("over a network that keeps breaking and damaging, frames are lost but never changed or repeated, and losses are paired", async () => {
  await using network = new TcpPeerNetwork();
  const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
  const link = await network.open(a);
  await using proxy = await TcpProxy.to((await network.open(b)).port);
  const random = createPrng(11);
  link.setPeers([{ id: 2, address: proxy.address }]);
  let sent = 0;
  const sendSome = (): void => {
    for (let i = 0; i < 50; i++) {
      const data = new Uint8Array(16 + Math.floor(random() * 2_000)).fill(sent & 0xff);
      new DataView(data.buffer).setUint32(0, sent++);
      link.send(2, { kind: "relay", data });
    }
  };
  for (let round = 0; round < 12; round++) {
    await a.untilLinked(2);
    const losses = a.links.length;
    const limit = proxy.forwarded + random() * 100_000;
    const isCut = random() < 0.5;
    proxy.damage = (bytes) => {
      if (proxy.forwarded < limit) return bytes;
      if (isCut) {
        queueMicrotask(() => proxy.cut());
        return bytes.subarray(0, bytes.length >> 1);
      }
      const damaged = Buffer.from(bytes);
      const at = Math.floor(random() * damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      return damaged;
    };
    while (a.links.length === losses) {
      sendSome();
      await Bun.sleep(1);
    }
    proxy.damage = (bytes) => bytes;
  }
  let before = -1;
  for (const [from, frame] of b.frames) {
    const data = frame.kind === "relay" ? frame.data : new Uint8Array();
    const number = new DataView(data.buffer, data.byteOffset).getUint32(0);
    expect([from, number > before, data.subarray(4).every((byte) => byte === (number & 0xff))]).toEqual([
      1,
      true,
      true,
    ]);
    before = number;
  }
  expect(b.frames.length).toBeGreaterThan(100);
  expect(a.links).toEqual(a.links.map((_, i) => (i % 2 === 0 ? "+2" : "-2")));
}, 60_000);
