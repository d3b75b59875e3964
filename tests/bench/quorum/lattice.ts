/** Three built Lattice servers on loopback, with their default timeouts and no agents. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Subprocess } from "bun";
import { GetAllocationRequestSchema, SubmitRequestSchema } from "../../../src/gen/lattice/v1/allocations_pb.ts";
import { freePorts } from "../../fixtures/free-ports.ts";
import type { Rival } from "./rival.ts";

const HOST = "127.0.0.1";
/** Where the binaries are; those of dist are built first. */
const DIST = process.env.LATTICE_TEST_DIST ?? join(import.meta.dir, "../../../dist");
const MEMBERS = [0, 1, 2];

/** Three servers; more than what the comparison needs is known of them. */
export interface LatticeQuorum extends Rival {
  readonly dir: string;
  /** URLs of the REST ports. */
  restUrls(): readonly string[];
  pid(member: number): number;
  isUp(member: number): boolean;
}

/** Bootstraps the first, lets the others join, and waits until there is a leader. */
export async function startLattice(env: Readonly<Record<string, string>> = {}): Promise<LatticeQuorum> {
  const dir = mkdtempSync(join(tmpdir(), "lattice-quorum-"));
  const ports = await freePorts(9);
  const port = (kind: number, i: number): string => `${HOST}:${ports[kind * 3 + i]}`;
  const members: (Subprocess | undefined)[] = [];
  for (const i of MEMBERS) writeFileSync(join(dir, `${i}.yaml`), configOf(i));
  const restUrls = (): readonly string[] => MEMBERS.map((i) => `http://${port(0, i)}`);
  const start = async (i: number, flags: readonly string[] = []): Promise<void> => {
    const command = [join(DIST, "lattice-server"), "--config", join(dir, `${i}.yaml`), ...flags];
    members[i] = Bun.spawn({
      cmd: ["/bin/sh", "-c", 'exec "$@" >> "$0" 2>&1', join(dir, `${i}.log`), ...command],
      stdin: "ignore",
      env: { ...process.env, ...env },
    });
  };
  function configOf(i: number): string {
    const peers = MEMBERS.filter((m) => m !== i).map((m) => `{ id: ${m + 1}, address: "${port(2, m)}" }`);
    return [
      `quorum: { node_id: ${i + 1}, data_dir: "${dir}/${i}", raft_listen_address: "${port(2, i)}", peers: [${peers}] }`,
      `api: { rest_address: "${port(0, i)}", grpc_address: "${port(1, i)}" }`,
      "storage: {}",
      "telemetry: {}",
    ].join("\n");
  }
  const quorum: LatticeQuorum = {
    name: "Lattice",
    dir,
    restUrls,
    endpoints: () => MEMBERS.map((i) => `http://${port(1, i)}`),
    write: () => ({ path: "/lattice.v1.AllocationService/Submit", message: SUBMIT }),
    httpWrite: () => ({ ports: ports.slice(0, 3), path: "/api/v1/allocations", body: HTTP_SUBMIT }),
    read: (isStale) => ({
      path: "/lattice.v1.AllocationService/Get",
      message: GET,
      ...(isStale && { headers: { "x-lattice-consistency": "stale" } }),
    }),
    leader: () => findLeader(restUrls()),
    pid: (i) => members[i]?.pid ?? 0,
    pids: () => members.flatMap((member) => member?.pid ?? []),
    isUp: (i) => members[i]?.exitCode === null && members[i]?.signalCode === null,
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
  await Promise.all(MEMBERS.map((i) => start(i, i === 0 ? ["--bootstrap"] : [])));
  await quorum.leader();
  return quorum;
}

const HTTP_SUBMIT = JSON.stringify({ tenant: "default", entrypoint: "true" });
const SUBMIT = toBinary(
  SubmitRequestSchema,
  create(SubmitRequestSchema, { submission: { case: "single", value: { tenant: "default", entrypoint: "true" } } }),
);
const GET = toBinary(GetAllocationRequestSchema, create(GetAllocationRequestSchema, { allocationId: "1" }));

/** Asks the servers who leads until one says that it does. */
export async function findLeader(urls: readonly string[], limitMs = 30_000): Promise<number> {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline; await Bun.sleep(20)) {
    const says = await Promise.all(urls.map(statusOf));
    const at = says.findIndex((status, i) => status !== undefined && status.leader_id === i + 1);
    if (at >= 0) return at;
  }
  throw new Error(`no server leads after ${limitMs} ms`);
}

async function statusOf(url: string): Promise<{ readonly leader_id?: number } | undefined> {
  try {
    const response = await fetch(`${url}/api/v1/raft/status`, { signal: AbortSignal.timeout(1_000) });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}
