/**
 * kill -9 of the server at random moments under load. After each restart every
 * acknowledged submission exists; in the end each ran exactly once and its exit code is
 * the one it gave. The moments come from a seed, printed when the test fails.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createPrng } from "../../src/base/prng.ts";
import { Cluster, until } from "./cluster.ts";

const KILLS = Number(process.env.LATTICE_TEST_KILLS ?? 6);
const SEED = Number(process.env.LATTICE_TEST_SEED ?? 1);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.startAgent("n1");
  await cluster.startAgent("n2");
}, 60_000);
afterAll(() => cluster.stop());

interface Acknowledged {
  readonly id: string;
  readonly exitCode: number;
}

/** Submits until told to stop; a submission without an answer is repeated under its key. */
async function submitUntil(isOver: () => boolean, runs: string, name: string): Promise<readonly Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  for (let n = 0; !isOver(); n++) {
    const exitCode = n % 3;
    const entrypoint = `echo ran >> ${runs}/$LATTICE_JOB_ID; exit ${exitCode}`;
    const body = JSON.stringify({ tenant: "default", name, entrypoint });
    const headers = { "content-type": "application/json", "idempotency-key": `${name}-${n}` };
    while (true) {
      const response = await fetch(`${cluster.url}/api/v1/allocations`, { method: "POST", headers, body }).catch(
        () => undefined,
      );
      if (response?.status === 201) {
        const answer = (await response.json()) as { readonly short_id: number };
        acknowledged.push({ id: String(answer.short_id), exitCode });
        break;
      }
      await response?.text();
      await Bun.sleep(20);
    }
    await Bun.sleep(30);
  }
  return acknowledged;
}

test(
  `INV-O1 ${KILLS} kills of the server lose no acknowledged submission and run nothing twice (seed ${SEED})`,
  async () => {
    const random = createPrng(SEED);
    const runs = join(cluster.dir, "runs");
    mkdirSync(runs);
    let isOver = false;
    const clients = ["a", "b"].map((name) => submitUntil(() => isOver, runs, name));
    for (let kill = 0; kill < KILLS; kill++) {
      await Bun.sleep(100 + random() * 700);
      await cluster.killServer();
      await cluster.startServer();
    }
    await Bun.sleep(300);
    isOver = true;
    const acknowledged = (await Promise.all(clients)).flat();
    expect(acknowledged.length).toBeGreaterThan(KILLS);
    expect(new Set(acknowledged.map((a) => a.id)).size).toBe(acknowledged.length);
    for (const { id, exitCode } of acknowledged) {
      const ended = await cluster.reaches(id, "completed", "failed");
      expect([id, ended.exit_code]).toEqual([id, exitCode]);
      expect([id, readFileSync(join(runs, id), "utf8")]).toEqual([id, "ran\n"]);
    }
    const total = (await cluster.get("/api/v1/allocations?limit=1")) as readonly { readonly short_id: number }[];
    expect(total[0]?.short_id).toBe(acknowledged.length);
  },
  KILLS * 20_000 + 60_000,
);

test("a job that outlives the server reports its exit code after the restart", async () => {
  const id = await cluster.submit({ entrypoint: "sleep 1; exit 7" });
  await cluster.reaches(id, "running");
  await cluster.killServer();
  await Bun.sleep(1_500);
  await cluster.startServer();
  expect((await cluster.reaches(id, "failed")).exit_code).toBe(7);
}, 60_000);

test("a job that outlives its agent is adopted, and its true exit code is reported", async () => {
  const id = await cluster.submit({ entrypoint: "sleep 1; exit 9" });
  const running = await cluster.reaches(id, "running");
  const node = running.assigned_nodes[0] ?? "";
  await cluster.killAgent(node);
  await Bun.sleep(200);
  await cluster.startAgent(node);
  expect((await cluster.reaches(id, "failed")).exit_code).toBe(9);
  await until("nothing of it is left", async () => (await cluster.allocation(id)).state === "failed");
}, 60_000);
