/** Three members of Debian's etcd on loopback, with its default timeouts. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Subprocess } from "bun";
import { freePorts } from "../../fixtures/free-ports.ts";
import { callGrpc, type GrpcCall } from "./grpc-call.ts";
import type { Rival } from "./rival.ts";

const HOST = "127.0.0.1";
const VALUE = new Uint8Array(256).fill(120);
/** For the JSON gateway, which takes base64. */
const HTTP_PUT = JSON.stringify({ key: btoa("bench/1"), value: btoa("x".repeat(VALUE.length)) });
const encoder = new TextEncoder();

/** Returns what is missing to run etcd here, or undefined. */
export const missingForEtcd = (): string | undefined =>
  Bun.which("etcd") === null ? "--etcd needs the program etcd (Debian: apt-get install etcd-server)" : undefined;

/** Starts three members and waits until they have a leader. */
export async function startEtcd(): Promise<Rival> {
  const dir = mkdtempSync(join(tmpdir(), "lattice-etcd-"));
  const ports = await freePorts(6);
  const url = (port: number | undefined): string => `http://${HOST}:${port}`;
  const cluster = [0, 1, 2].map((i) => `n${i}=${url(ports[3 + i])}`).join(",");
  const members: (Subprocess | undefined)[] = [];
  const start = async (i: number): Promise<void> => {
    const client = url(ports[i]);
    const peer = url(ports[3 + i]);
    members[i] = Bun.spawn({
      cmd: [
        ...["etcd", "--name", `n${i}`, "--data-dir", join(dir, `n${i}`), "--initial-cluster", cluster],
        ...["--listen-client-urls", client, "--advertise-client-urls", client, "--log-level", "error"],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster-state", "new"],
      ],
      stdout: "ignore",
      stderr: "ignore",
    });
  };
  const endpoints = (): readonly string[] => ports.slice(0, 3).map(url);
  const rival: Rival = {
    name: "etcd",
    endpoints,
    pids: () => members.flatMap((member) => member?.pid ?? []),
    write: (n) => ({ path: "/etcdserverpb.KV/Put", message: put(`bench/${n % 10_000}`) }),
    httpWrite: () => ({ ports: ports.slice(0, 3), path: "/v3/kv/put", body: HTTP_PUT }),
    read: (isStale) => ({ path: "/etcdserverpb.KV/Range", message: range("bench/1", isStale) }),
    leader: () => findLeader(endpoints()),
    start,
    async kill(i) {
      members[i]?.kill("SIGKILL");
      await members[i]?.exited;
    },
    async close() {
      for (const member of members) member?.kill("SIGKILL");
      await Promise.all(members.map((member) => member?.exited));
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await Promise.all([0, 1, 2].map(start));
  await rival.leader();
  return rival;
}

const put = (key: string): Uint8Array =>
  new BinaryWriter()
    .uint32((1 << 3) | 2)
    .bytes(encoder.encode(key))
    .uint32((2 << 3) | 2)
    .bytes(VALUE)
    .finish();

function range(key: string, isSerializable: boolean): Uint8Array {
  const message = new BinaryWriter().uint32((1 << 3) | 2).bytes(encoder.encode(key));
  if (isSerializable) message.uint32(7 << 3).bool(true);
  return message.finish();
}

/** Asks members for their status (member id in the header, leader's id) until one names a leader that answers. */
async function findLeader(endpoints: readonly string[]): Promise<number> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await Bun.sleep(20)) {
    const states = await Promise.all(endpoints.map(statusOf));
    const at = states.findIndex((s) => s !== undefined && s.leader !== 0n && s.leader === s.self);
    if (at >= 0) return at;
  }
  throw new Error("etcd has no leader after 30 s");
}

const STATUS: GrpcCall = { path: "/etcdserverpb.Maintenance/Status", message: new Uint8Array() };

async function statusOf(endpoint: string): Promise<{ readonly self: bigint; readonly leader: bigint } | undefined> {
  const session = connect(endpoint);
  session.on("error", () => {});
  try {
    return parseStatus(await callGrpc(session, STATUS));
  } catch {
    return undefined;
  } finally {
    session.close();
  }
}

function parseStatus(bytes: Uint8Array): { readonly self: bigint; readonly leader: bigint } {
  const found = { self: 0n, leader: 0n };
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) found.self = memberOf(reader.bytes());
    else if (field === 4) found.leader = BigInt(reader.uint64());
    else reader.skip(type);
  }
  return found;
}

function memberOf(header: Uint8Array): bigint {
  const reader = new BinaryReader(header);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 2) return BigInt(reader.uint64());
    reader.skip(type);
  }
  return 0n;
}
