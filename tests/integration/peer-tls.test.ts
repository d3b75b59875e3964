/** Shows that with certificates both ends of a link prove who they are, and that without the right one there is no link. */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { term } from "../../src/base/brand.ts";
import type { PeerTls } from "../../src/io/peer/peer-network.ts";
import { sendSnapshot } from "../../src/io/peer/snapshot-sender.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { CertificateAuthority } from "../fixtures/certificates.ts";
import { RecordingListener } from "../fixtures/peer-listener.ts";
import { TcpPeerNetwork } from "../fixtures/peer-networks.ts";
import { upTo } from "../fixtures/raft-entries.ts";

const PATIENCE_MS = 30_000;
const authority = new CertificateAuthority();
const SERVER = authority.issue("127.0.0.1");

/** Opens member 1 with the server's certificate and lets member 2, with `tls`, dial it; resolves when that is refused. */
async function refusalOf(tls: PeerTls | undefined): Promise<string> {
  await using network = new TcpPeerNetwork({ tls: SERVER });
  await using outside = new TcpPeerNetwork(tls === undefined ? {} : { tls });
  const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
  const link = await network.open(a);
  const other = await outside.open(b);
  link.setPeers([{ id: 2, address: "127.0.0.1:1" }]);
  other.setPeers(network.peers());
  const isTold = () => outside.lines.some(({ message }) => message === "no link with a server");
  while (!isTold()) await Bun.sleep(20);
  expect([a.links, b.links, a.judged]).toEqual([[], [], []]);
  return String(outside.lines.find(({ message }) => message === "no link with a server")?.reason);
}

test("members with certificates for their addresses are linked", async () => {
  await using network = new TcpPeerNetwork({ tls: SERVER });
  const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
  const link = await network.open(a);
  const other = await network.open(b);
  link.setPeers(network.peers());
  other.setPeers(network.peers());
  await a.untilLinked(2);
  await b.untilLinked(1);
  const data = new Uint8Array(5_000_000).fill(9);
  link.send(2, { kind: "relay", data });
  await b.until(() => b.frames.length === 1);
  expect(b.frames[0]?.[1]).toEqual({ kind: "relay", data });
});

test("a certificate may name the host of an address", async () => {
  await using network = new TcpPeerNetwork({ tls: authority.issue("localhost"), host: "localhost" });
  const [a, b] = [new RecordingListener(1), new RecordingListener(2)];
  const link = await network.open(a);
  const other = await network.open(b);
  link.setPeers(network.peers());
  other.setPeers(network.peers());
  await a.untilLinked(2);
});

test("a snapshot travels with certificates, to whoever may have it", async () => {
  await using network = new TcpPeerNetwork({ tls: SERVER });
  const receiver = new RecordingListener(2);
  const link = await network.open(receiver);
  link.setPeers([{ id: 1, address: "127.0.0.1:1" }]);
  const order = { to: 2, address: `127.0.0.1:${link.port}`, term: term(3) };
  const source = { meta: upTo(5), chunks: [Uint8Array.of(1, 2, 3)] };
  const identity = { clusterId: "c1", memberId: 1, storeId: "store-1" };
  await sendSnapshot(order, source, { identity, clock: systemClock, tls: SERVER });
  await receiver.until(() => receiver.snapshots.length === 1);
  const bare = sendSnapshot(order, source, { identity, clock: systemClock });
  expect(await bare.catch((error: unknown) => error)).toMatchObject({ fault: { reason: "SERVER_UNREACHABLE" } });
});

test(
  "a server of another authority gets no link",
  async () => {
    expect(await refusalOf(new CertificateAuthority("another").issue("127.0.0.1"))).toMatch(/certificate/);
  },
  PATIENCE_MS,
);

test(
  "a server without TLS gets no link",
  async () => {
    expect(await refusalOf(undefined)).toContain("is one of the two without TLS?");
  },
  PATIENCE_MS,
);

test(
  "a certificate of the same authority for another host gets no link",
  async () => {
    expect(await refusalOf(authority.issue("node-7"))).toContain("its certificate is not for 127.0.0.1");
  },
  PATIENCE_MS,
);

test(
  "a caller that does not begin TLS is hung up on after a while",
  async () => {
    await using network = new TcpPeerNetwork({ tls: SERVER });
    const { port } = await network.open(new RecordingListener(1));
    const closed = new Promise<void>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.on("close", () => resolve());
      socket.resume();
    });
    await closed;
  },
  PATIENCE_MS,
);
