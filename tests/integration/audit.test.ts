/**
 * Shows the audit log of a running server: what is audited is an entry before it is done or
 * with it, denials are counted, entries move to disk and to archives, and whatever is changed
 * there is found and named.
 */
import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { millis } from "../../src/base/brand.ts";
import { AUDITED } from "../../src/core/access/audited.ts";
import { ACCESS } from "../../src/core/access/operations.ts";
import { entryId } from "../../src/core/audit/entry.ts";
import { tenantId, userId } from "../../src/core/domain/ids.ts";
import { auditHeadOf } from "../../src/core/state/state.ts";
import { archiveAudit } from "../../src/engine/server/audit/archive-audit.ts";
import { KINDS_MAX } from "../../src/engine/server/audit/denials.ts";
import { listArchives, queryAudit } from "../../src/engine/server/audit/query-audit.ts";
import { verifyAudit } from "../../src/engine/server/audit/verify-audit.ts";
import { createBackup, stageRestore } from "../../src/engine/server/operations/backup.ts";
import { cancelAllocation } from "../../src/engine/server/operations/change-allocation.ts";
import { addMember } from "../../src/engine/server/operations/cluster.ts";
import {
  claimNode,
  disableNode,
  drainNode,
  enableNode,
  releaseNode,
  undrainNode,
} from "../../src/engine/server/operations/nodes.ts";
import { createReservation, deleteReservation } from "../../src/engine/server/operations/reservations.ts";
import { submit } from "../../src/engine/server/operations/submit-allocation.ts";
import { createTenant, updateTenant } from "../../src/engine/server/operations/tenants.ts";
import { createVCluster, updateVCluster } from "../../src/engine/server/operations/vclusters.ts";
import { finishRestore } from "../../src/io/backup/restore-stage.ts";
import { openTelemetry } from "../../src/io/telemetry/prometheus.ts";
import { aCall, addNode, startTestServer, type TestServer } from "../fixtures/test-server.ts";

const running: TestServer[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

async function start(dir?: string, telemetry = openTelemetry("server")): Promise<TestServer> {
  const one = await startTestServer({ telemetry, ...(dir !== undefined && { dir }) });
  running.push(one);
  return one;
}

const FIRST = { filter: {}, page: { limit: 1000, cursor: "" } };
const actions = async ({ server }: TestServer, filter = {}) =>
  (await queryAudit(server, aCall(), { ...FIRST, filter })).items.map(
    ({ body, outcome }) => `${body.actor.user} ${body.action} ${outcome}`,
  );

const LATER = millis(Date.now() + 86_400_000);

/** Makes entries: the key's, and two for each drain. */
async function work({ server }: TestServer, rounds: number): Promise<void> {
  await addNode(server, "n1");
  for (let i = 0; i < rounds; i++) {
    await drainNode(server, aCall(), { id: "n1", reason: "r" });
    await undrainNode(server, aCall(), "n1");
  }
}

test("every operation of the access table is in the table of audited ones", () => {
  expect(Object.keys(AUDITED).sort()).toEqual(Object.keys(ACCESS).sort());
});

test("INV-U2: a change and its entry are one: what was refused is told with the reason", async () => {
  const one = await start();
  const { server } = one;
  await createTenant(server, aCall(), { name: "physics" });
  await expect(createTenant(server, aCall(), { name: "physics" })).rejects.toThrow();
  const bob = aCall({ user: userId("bob") });
  const { allocations } = await submit(server, bob, {
    kind: "single",
    request: { tenant: "default", entrypoint: "true" },
  });
  const id = String(allocations[0]?.id);
  await cancelAllocation(server, bob, id);
  expect(await actions(one)).toEqual([
    "alice lattice.tenant.create ALREADY_EXISTS",
    "alice lattice.tenant.create done",
    "system lattice.audit.key done",
  ]);
});

test("work of others and sensitive work are audited, one's own is not", async () => {
  const one = await start();
  const { server } = one;
  const bob = aCall({ user: userId("bob") });
  const own = await submit(server, bob, { kind: "single", request: { tenant: "default", entrypoint: "true" } });
  await cancelAllocation(server, aCall(), String(own.allocations[0]?.id));
  const request = { tenant: "default", entrypoint: "true", isSensitive: true };
  const secret = await submit(server, bob, { kind: "single", request });
  await cancelAllocation(server, bob, String(secret.allocations[0]?.id));
  expect(await actions(one, { action: "lattice.allocation" })).toEqual([
    "bob lattice.allocation.cancel done",
    "bob lattice.allocation.submit done",
    "alice lattice.allocation.cancel done",
  ]);
});

test("a repeat under the same key is no second entry", async () => {
  const one = await start();
  const call = { ...aCall(), idempotencyKey: "k" };
  await createTenant(one.server, call, { name: "physics" });
  await createTenant(one.server, call, { name: "physics" });
  expect(await actions(one, { action: "lattice.tenant" })).toEqual(["alice lattice.tenant.create done"]);
});

test("entries are found by tenant, user, action, allocation, node and time, page by page", async () => {
  const one = await start();
  const { server } = one;
  await createTenant(server, aCall(), { name: "physics" });
  await work(one, 2);
  const total = (await actions(one)).length;
  expect(await actions(one, { tenant: "physics" })).toEqual(["alice lattice.tenant.create done"]);
  expect(await actions(one, { node: "n1" })).toHaveLength(4);
  expect(await actions(one, { user: "system" })).toEqual(["system lattice.audit.key done"]);
  expect(await actions(one, { action: "lattice.node.drain" })).toHaveLength(2);
  expect(await actions(one, { action: "lattice.nod" })).toEqual([]);
  expect(await actions(one, { since: LATER })).toEqual([]);
  expect(await actions(one, { until: LATER })).toHaveLength(total);
  const seen: number[] = [];
  for (let cursor = ""; ; ) {
    const { items, nextCursor } = await queryAudit(server, aCall(), { filter: {}, page: { limit: 2, cursor } });
    seen.push(...items.map(({ sequence }) => sequence));
    if (nextCursor === undefined) break;
    cursor = nextCursor;
  }
  expect(seen).toEqual(Array.from({ length: total }, (_, i) => total - i));
});

test("a tenant's administrator sees that tenant's entries and asks for no other's", async () => {
  const { server } = await start();
  for (const name of ["physics", "law"]) await createTenant(server, aCall(), { name });
  const admin = aCall({ user: userId("pia"), role: "TenantAdmin", tenant: tenantId("physics") });
  await updateTenant(server, admin, { id: "physics", change: { quota: { nodesMax: 3 } } });
  const { items } = await queryAudit(server, admin, FIRST);
  expect(items.map(({ body }) => `${body.actor.user} ${body.target.tenant}`)).toEqual(["pia physics", "alice physics"]);
  await expect(queryAudit(server, admin, { ...FIRST, filter: { tenant: "law" } })).rejects.toThrow("not for a member");
  const stray = aCall({ role: "TenantAdmin" });
  await expect(queryAudit(server, stray, FIRST)).rejects.toThrow("names its tenant");
  await expect(verifyAudit(server, admin)).rejects.toThrow("may not do audit.verify");
});

test("a flood of denials makes a bounded number of entries", async () => {
  const one = await start();
  const { denials } = one.server;
  const refused = { reason: "FORBIDDEN", message: "no" } as const;
  for (let i = 0; i < 5_000; i++) {
    const principal = { user: userId(`u${i % 200}`), role: "User" } as const;
    denials.onRefused({ principal, operation: "node.drain", from: "::1", requestId: "r" }, refused);
  }
  await Bun.sleep(50);
  const { items } = await queryAudit(one.server, aCall(), { ...FIRST, filter: { action: "lattice.node.drain" } });
  expect(items.length).toBe(KINDS_MAX);
  expect(new Set(items.map(({ outcome }) => outcome))).toEqual(new Set(["denied"]));
});

test("the whole chain verifies over memory, disk and archives, and after a restart", async () => {
  const one = await start();
  await work(one, 6);
  const { replica } = one.server;
  await replica.propose({ kind: "retire-audit", to: 8 }, userId("system"));
  expect([...replica.state.tables.audit.keys()].length).toBe(auditHeadOf(replica.state).length - 8);
  const made = await archiveAudit(one.server, aCall(), millis(0));
  expect(made).toEqual([]);
  await archiveAudit(one.server, aCall(), LATER);
  const [archive] = listArchives(one.server, aCall()).archives;
  expect(archive).toMatchObject({ first: 1 });
  await work(one, 1);
  const verdict = await verifyAudit(one.server, aCall());
  expect(verdict).toMatchObject({ isWhole: true, archived: archive?.last, problems: [] });
  await running.pop()?.stop(true);
  const again = await start(one.dir);
  expect((await verifyAudit(again.server, aCall())).isWhole).toBe(true);
  await work(again, 1);
  expect((await verifyAudit(again.server, aCall())).isWhole).toBe(true);
});

test("a byte that is flipped on disk, a row that is gone, and rows that are swapped are found and named", async () => {
  const one = await start();
  await work(one, 6);
  await one.server.replica.propose({ kind: "retire-audit", to: 9 }, userId("system"));
  await one.server.replica.flush();
  const change = (sql: string, ...values: string[]) => {
    using db = new Database(join(one.dir, "state.db"));
    db.run(sql, values);
  };
  const found = async () => (await verifyAudit(one.server, aCall())).problems.map(({ text }) => text);
  const UPDATE = "UPDATE archived SET text = replace(text, 'alice', 'mallo') WHERE tbl = 'audit' AND id = ?";
  change(UPDATE, entryId(3));
  expect((await found())[0]).toMatch(/^entry 3: .*row 0+3 of table audit is damaged/);
  change("UPDATE archived SET text = replace(text, 'mallo', 'alice') WHERE tbl = 'audit'");
  expect(await found()).toEqual([]);
  change("UPDATE archived SET id = 'x' WHERE tbl = 'audit' AND id = ?", entryId(4));
  expect(await found()).toEqual(["entry 4: it is missing"]);
  change("UPDATE archived SET id = ? WHERE tbl = 'audit' AND id = 'x'", entryId(4));
  change("DELETE FROM archived WHERE tbl = 'audit' AND id = ?", entryId(9));
  expect(await found()).toEqual(["entry 9: it is missing"]);
  await expect(queryAudit(one.server, aCall(), FIRST)).rejects.toThrow("entry 9: it is missing");
});

test("an archive with a flipped byte, without a line, or that is gone is found and named", async () => {
  const one = await start();
  await work(one, 6);
  await archiveAudit(one.server, aCall(), LATER);
  const { location, archives } = listArchives(one.server, aCall());
  const name = String(archives[0]?.name);
  const path = join(location, name);
  const whole = readFileSync(path, "utf8");
  const found = async () => (await verifyAudit(one.server, aCall())).problems.map(({ text }) => text);
  expect(await found()).toEqual([]);
  writeFileSync(path, whole.replace('"user":"alice"', '"user":"mallo"'));
  expect(await found()).toEqual([
    `entry 1: archive ${name} is not the file that was written: its checksum differs`,
    "entry 2: it was changed: its hash does not fit",
    expect.stringMatching(/^entry 2: its signature does not fit the key/),
  ]);
  const lines = whole.split("\n");
  writeFileSync(path, [...lines.slice(0, 4), ...lines.slice(5)].join("\n"));
  expect(await found()).toContain(`entry 4: archive ${name}: it is missing`);
  writeFileSync(path, `${whole.slice(0, 200)}`);
  expect(await found()).toContain(`entry 1: archive ${name}: it holds a line that is not JSON`);
  writeFileSync(path, whole);
  expect(await found()).toEqual([]);
});

test("every server verifies the chain by itself, and tells in its figures what is wrong with it", async () => {
  const one = await start();
  await work(one, 4);
  await one.server.replica.propose({ kind: "retire-audit", to: 6 }, userId("system"));
  await running.pop()?.stop(true);
  const figures = async (telemetry: ReturnType<typeof openTelemetry>, wanted: RegExp) => {
    for (;;) {
      const text = await telemetry.text();
      if (wanted.test(text)) return;
      await Bun.sleep(20);
    }
  };
  const sound = openTelemetry("server");
  await start(one.dir, sound);
  await figures(sound, /^lattice_audit_problems 0$/m);
  await figures(sound, /^lattice_audit_verified_entries (9|1\d)$/m);
  await figures(sound, /^lattice_audit_last_verified_timestamp_seconds \d/m);
  await running.pop()?.stop(true);
  {
    using db = new Database(join(one.dir, "state.db"));
    db.run("DELETE FROM archived WHERE tbl = 'audit' AND id = ?", [entryId(4)]);
  }
  const broken = openTelemetry("server");
  await start(one.dir, broken);
  await figures(broken, /^lattice_audit_problems 1$/m);
});

test("INV-U2: everything that the table says is always audited leaves its entry", async () => {
  const one = await start();
  const { server } = one;
  const call = aCall();
  await addNode(server, "n1");
  await createTenant(server, call, { name: "physics" });
  await updateTenant(server, call, { id: "physics", change: {} });
  await createVCluster(server, call, { tenant: "physics", name: "batch" });
  await updateVCluster(server, call, { id: "physics/batch", change: {} });
  await drainNode(server, call, { id: "n1", reason: "" });
  await undrainNode(server, call, "n1");
  await disableNode(server, call, { id: "n1", reason: "" });
  await enableNode(server, call, "n1");
  await claimNode(server, call, "n1");
  await releaseNode(server, call, "n1");
  await createReservation(server, call, { name: "service", until: LATER, nodes: ["n1"] });
  await deleteReservation(server, call, "service");
  await addMember(server, call, { id: 2, address: "server-2:9000" });
  await archiveAudit(server, call, millis(0));
  const { path } = await createBackup(server, call, "");
  await stageRestore(server, call, { path, isForced: true });
  const seen = new Set((await actions(one, { user: "alice" })).map((text) => text.split(" ")[1]));
  const always = Object.entries(AUDITED).filter(([, auditing]) => auditing === "always");
  // Needs an authority that signs certificates, which this server has not.
  const missing = always.map(([operation]) => `lattice.${operation}`).filter((action) => !seen.has(action));
  expect(missing).toEqual(["lattice.node.admit"]);
});

test("what must be recorded first is not done while it cannot be", async () => {
  const { server } = await start();
  const { path } = await createBackup(server, aCall(), "");
  const { replica } = server;
  const propose = replica.propose.bind(replica);
  replica.propose = (body, by, extras) =>
    extras?.audit ? Promise.reject(new Error("no majority")) : propose(body, by, extras);
  await expect(stageRestore(server, aCall(), { path, isForced: true })).rejects.toThrow("no majority");
  expect(existsSync(`${running.at(-1)?.dir}.restore`)).toBe(false);
});

test("after a restore the chain goes on from the backup in a later epoch, says so, and verifies, over archives too", async () => {
  const one = await start();
  await work(one, 2);
  await archiveAudit(one.server, aCall(), LATER);
  await work(one, 1);
  const { path } = await createBackup(one.server, aCall(), "");
  const kept = auditHeadOf(one.server.replica.state).length;
  await work(one, 3);
  await stageRestore(one.server, aCall(), { path, isForced: true });
  await running.pop()?.stop(true);
  const { replaced } = finishRestore(one.dir, millis(Date.now())) ?? {};
  const again = await start(one.dir);
  while (!(await actions(again)).some((text) => text.includes("lattice.backup.restored"))) await Bun.sleep(20);
  const verdict = await verifyAudit(again.server, aCall());
  expect(verdict).toMatchObject({ isWhole: true, restores: 1, problems: [] });
  expect((await queryAudit(again.server, aCall(), FIRST)).items.at(-1)?.sequence).toBe(verdict.archived + 1);
  expect(auditHeadOf(again.server.replica.state).length).toBeGreaterThan(kept);
  if (replaced !== undefined) rmSync(replaced, { recursive: true });
});

test("entries of a configured age move to archives by themselves", async () => {
  const one = await startTestServer({ settings: { auditArchiveAfterMs: 1 } });
  running.push(one);
  await work(one, 2);
  while (listArchives(one.server, aCall()).archives.length === 0) await Bun.sleep(20);
  expect((await verifyAudit(one.server, aCall())).isWhole).toBe(true);
  const seen = await actions(one);
  expect(seen).toContain("system lattice.audit.archived done");
});
