/**
 * Clients that submit through every server of a quorum and repeat what got no answer under
 * its idempotency key; and the check that nothing acknowledged was lost and nothing came twice.
 */
import type { AllocationJson } from "./cluster.ts";
import type { QuorumCluster } from "./quorum-cluster.ts";

/** A submission that a server acknowledged. */
export interface Acknowledged {
  readonly shortId: number;
  readonly name: string;
  /** From the first attempt to the answer. */
  readonly tookMs: number;
}

/** Submissions under way. */
export interface Load {
  /** Ends the clients; resolves with what was acknowledged. */
  stop(): Promise<readonly Acknowledged[]>;
  acknowledged(): number;
}

const ATTEMPT_MS = 3_000;
const PAUSE_MS = 20;

/** Starts `clients` clients; `entrypoint` is what each allocation runs. */
export function startLoad(cluster: QuorumCluster, { clients = 4, entrypoint = "true", tag = "load" } = {}): Load {
  const done: Acknowledged[] = [];
  let isOver = false;
  const run = async (client: number): Promise<void> => {
    for (let n = 0; !isOver; n++) {
      done.push(await submitOnce(cluster, { name: `${tag}-${client}-${n}`, entrypoint, first: client + n }));
      await Bun.sleep(PAUSE_MS);
    }
  };
  const running = Array.from({ length: clients }, (_, client) => run(client));
  return {
    acknowledged: () => done.length,
    async stop() {
      isOver = true;
      await Promise.all(running);
      return done;
    },
  };
}

interface Submission {
  readonly name: string;
  readonly entrypoint: string;
  /** Which server is asked first. */
  readonly first: number;
}

async function submitOnce(cluster: QuorumCluster, { name, entrypoint, first }: Submission): Promise<Acknowledged> {
  const began = performance.now();
  const body = JSON.stringify({ tenant: "default", name, entrypoint });
  const headers = { "content-type": "application/json", "idempotency-key": name };
  const urls = cluster.urls();
  for (let attempt = 0; ; attempt++) {
    const url = `${urls[(first + attempt) % urls.length]}/api/v1/allocations`;
    const signal = AbortSignal.timeout(ATTEMPT_MS);
    const response = await fetch(url, { method: "POST", headers, body, signal }).catch(() => undefined);
    const text = await response?.text().catch(() => undefined);
    if (response?.status === 201 && text !== undefined) {
      return { shortId: JSON.parse(text).short_id, name, tookMs: performance.now() - began };
    }
    if (response !== undefined && response.status < 500 && response.status !== 429) {
      throw new Error(`the submission ${name} was refused: ${response.status} ${text}`);
    }
    await Bun.sleep(PAUSE_MS);
  }
}

/** Returns what is wrong: acknowledged submissions that are missing, and names that exist twice. */
export async function differences(
  cluster: QuorumCluster,
  { at, acknowledged }: { readonly at: number; readonly acknowledged: readonly Acknowledged[] },
): Promise<readonly string[]> {
  const found = new Map<string, number[]>();
  for (const { name, short_id } of await allAllocations(cluster, at)) {
    found.set(name, [...(found.get(name) ?? []), short_id]);
  }
  const wrong: string[] = [];
  for (const { name, shortId } of acknowledged) {
    const ids = found.get(name) ?? [];
    if (ids.length !== 1 || ids[0] !== shortId) wrong.push(`${name} was acknowledged as ${shortId}, found as [${ids}]`);
  }
  for (const [name, ids] of found) if (ids.length > 1) wrong.push(`${name} exists as [${ids}]`);
  return wrong;
}

async function allAllocations(cluster: QuorumCluster, at: number): Promise<readonly AllocationJson[]> {
  const all: AllocationJson[] = [];
  for (let cursor = ""; ; ) {
    const response = await cluster.request(at, "GET", `/api/v1/allocations?limit=1000&cursor=${cursor}`);
    if (!response.ok) throw new Error(`server ${at} does not list: ${response.status} ${await response.text()}`);
    all.push(...((await response.json()) as readonly AllocationJson[]));
    cursor = response.headers.get("x-next-cursor") ?? "";
    if (cursor === "") return all;
  }
}
