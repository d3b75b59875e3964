/**
 * Shows one audit chain over three servers in one process: each signs with its own key, each
 * verifies what the others signed, and neither a dead leader nor a server that comes back
 * breaks it.
 */
import { expect, test } from "bun:test";
import { tenantId } from "../../src/core/domain/ids.ts";
import { queryAudit } from "../../src/engine/server/audit/query-audit.ts";
import { verifyAudit } from "../../src/engine/server/audit/verify-audit.ts";
import { createTenant } from "../../src/engine/server/operations/tenants.ts";
import type { ClusterMember } from "../fixtures/test-cluster.ts";
import { TestCluster } from "../fixtures/test-cluster.ts";
import { aCall } from "../fixtures/test-server.ts";

const tenantAt = ({ server }: ClusterMember, name: string) => createTenant(server, aCall(), { name });

test("INV-U1: entries of all servers make one chain, which each of them verifies, also after the leader died", async () => {
  await using cluster = new TestCluster();
  const leader = await cluster.leader();
  const [a, b] = await cluster.followers();
  if (!a || !b) throw new Error("two servers follow");
  // At once: what makes the chain must not need one at a time.
  const names = Array.from({ length: 12 }, (_, i) => `t${i}`);
  await Promise.all(names.map((name, i) => tenantAt([leader, a, b][i % 3] ?? a, name)));
  await cluster.kill(leader.id);
  await cluster.until(() =>
    tenantAt(a, "after").then(
      () => true,
      () => false,
    ),
  );
  cluster.restart(leader);
  await cluster.leader();
  for (const { server } of cluster.members.values()) {
    await cluster.until(() => server.replica.state.tables.tenants.has(tenantId("after")));
    const verdict = await verifyAudit(server, aCall());
    expect(verdict).toMatchObject({ isWhole: true, problems: [] });
    expect(verdict.keys.map(({ member }) => member).sort()).toEqual([1, 2, 3]);
    const page = { filter: { action: "lattice.tenant.create" }, page: { limit: 100, cursor: "" } };
    const { items } = await queryAudit(server, aCall(), page);
    expect(new Set(items.map(({ body }) => body.server)).size).toBe(3);
    expect(new Set(items.map(({ body }) => body.target.tenant)).size).toBe(13);
  }
}, 30_000);
