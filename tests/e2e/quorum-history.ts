/**
 * A register that clients write and read through every server, and the check that its
 * history is linearizable. The register is a tenant's quota: its version is the index of
 * the log entry that last changed it, so the order of the writes is known and the check is
 * exact: no operation may show an older version than one that ended before it began.
 */
import type { QuorumCluster } from "./quorum-cluster.ts";

/** A finished read or write of the register. */
export interface Operation {
  readonly kind: "read" | "write";
  readonly server: number;
  /** What was written or seen. */
  readonly value: number;
  /** Where in the order of writes it was. */
  readonly version: number;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** Clients under way. */
export interface Recording {
  /** Ends the clients; resolves with what they did. */
  stop(): Promise<readonly Operation[]>;
  count(): number;
}

interface TenantJson {
  readonly max_nodes: number;
  readonly version: number;
}

const TENANT = "register";
const ATTEMPT_MS = 2_000;
const PAUSE_MS = 15;

/** Makes the register and starts clients: each writes and reads in turn, at one server after another. */
export async function startRecording(cluster: QuorumCluster, clients = 4): Promise<Recording> {
  const made = await cluster.request(await cluster.leader(), "POST", "/api/v1/tenants", { name: TENANT });
  await made.text();
  const done: Operation[] = [];
  let isOver = false;
  const run = async (client: number): Promise<void> => {
    for (let n = 0; !isOver; n++) {
      const server = cluster.ids[(client + n) % cluster.ids.length] ?? 1;
      const operation = n % 2 === 0 ? write(cluster, server, client * 1_000_000 + n + 1) : read(cluster, server);
      const finished = await operation;
      if (finished !== undefined) done.push(finished);
      await Bun.sleep(PAUSE_MS);
    }
  };
  const running = Array.from({ length: clients }, (_, client) => run(client));
  return {
    count: () => done.length,
    async stop() {
      isOver = true;
      await Promise.all(running);
      return done;
    },
  };
}

/** Repeats itself, at the other servers too, under one key until it is acknowledged; says what was then seen. */
async function write(cluster: QuorumCluster, first: number, value: number): Promise<Operation> {
  const beganMs = performance.now();
  for (let attempt = 0; ; attempt++) {
    const server = ((first - 1 + attempt) % cluster.ids.length) + 1;
    const tenant = await ask(cluster, server, { method: "PUT", value });
    if (tenant) {
      const { version, max_nodes: shown } = tenant;
      // The answer shows the register as it is then: another write may stand behind this one.
      const kind = shown === value ? "write" : "read";
      return { kind, server, value: shown, version, beganMs, endedMs: performance.now() };
    }
    await Bun.sleep(PAUSE_MS);
  }
}

/** A read without an answer says nothing. */
async function read(cluster: QuorumCluster, server: number): Promise<Operation | undefined> {
  const beganMs = performance.now();
  const tenant = await ask(cluster, server, { method: "GET" });
  if (!tenant) return undefined;
  const { version, max_nodes: value } = tenant;
  return { kind: "read", server, value, version, beganMs, endedMs: performance.now() };
}

interface Asked {
  readonly method: "GET" | "PUT";
  readonly value?: number;
}

async function ask(cluster: QuorumCluster, server: number, { method, value }: Asked): Promise<TenantJson | undefined> {
  const response = await fetch(`${cluster.url(server)}/api/v1/tenants/${TENANT}`, {
    method,
    headers: { "content-type": "application/json", ...(value !== undefined && { "idempotency-key": `set-${value}` }) },
    ...(value !== undefined && { body: JSON.stringify({ max_nodes: value }) }),
    signal: AbortSignal.timeout(ATTEMPT_MS),
  }).catch(() => undefined);
  return response?.ok ? ((await response.json().catch(() => undefined)) as TenantJson | undefined) : undefined;
}

/** Returns every breach of linearizability, in words; none when the history has an order. */
export function breaches(history: readonly Operation[]): readonly string[] {
  const found: string[] = [];
  const written = new Map<number, number>();
  for (const { kind, version, value } of history) {
    if (kind !== "write") continue;
    if (written.has(version)) found.push(`two writes have version ${version}: ${written.get(version)} and ${value}`);
    written.set(version, value);
  }
  for (const { kind, version, value } of history) {
    const known = written.get(version);
    if (kind === "read" && known !== undefined && known !== value) {
      found.push(`a read shows ${value} as version ${version}, which wrote ${known}`);
    }
  }
  return [...found, ...backwards(history)];
}

/** Sweeps over time: what begins must not be older than what has ended. */
function backwards(history: readonly Operation[]): string[] {
  const found: string[] = [];
  const ended = history.toSorted((a, b) => a.endedMs - b.endedMs);
  let latest: Operation | undefined;
  let next = 0;
  for (const operation of history.toSorted((a, b) => a.beganMs - b.beganMs)) {
    for (let e = ended[next]; e !== undefined && e.endedMs < operation.beganMs; e = ended[++next]) {
      if (latest === undefined || e.version > latest.version) latest = e;
    }
    const least = (latest?.version ?? 0) + (operation.kind === "write" ? 1 : 0);
    if (latest && operation.version < least) found.push(`${words(operation)} began after ${words(latest)} had ended`);
  }
  return found;
}

const words = ({ kind, server, version, beganMs, endedMs }: Operation): string =>
  `a ${kind} at server ${server} with version ${version} (${beganMs.toFixed(1)} to ${endedMs.toFixed(1)} ms)`;
