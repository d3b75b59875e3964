/** `lattice admin tenant create|update|list|get`: who shares the machine, and how much of it. */

import { pairs } from "../../base/columns.ts";
import type { TenantResponse } from "../../client/messages.ts";
import { ISOLATION_LEVELS } from "../../core/domain/tenant.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import type { Flag } from "../grammar/flag.ts";
import type { Given } from "../grammar/given.ts";
import { amount, wholeNumber } from "../grammar/parse.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { pageThrough } from "../page-through.ts";
import { printList, printOne } from "../render/print.ts";
import type { Column } from "../render/table.ts";

const QUOTA_FLAGS: Readonly<Record<string, Flag>> = {
  "max-nodes": { type: "string", valueHint: "N", check: wholeNumber(), description: "Nodes held at once, at most" },
  "fair-share": { type: "string", valueHint: "SHARE", check: amount, description: "Target share, from 0 to 1" },
  "max-allocations": {
    type: "string",
    valueHint: "N",
    check: wholeNumber(),
    description: "Allocations at once, at most",
  },
  "gpu-hours": { type: "string", valueHint: "HOURS", check: amount, description: "Budget of GPU hours" },
  "node-hours": { type: "string", valueHint: "HOURS", check: amount, description: "Budget of node hours" },
  burst: { type: "string", valueHint: "FACTOR", check: amount, description: "How far the share may be exceeded" },
  isolation: { type: "string", valueHint: "LEVEL", choices: ISOLATION_LEVELS, description: "Isolation" },
};

/** `lattice admin tenant create`. */
export const tenantCreate: Command = {
  kind: "command",
  name: "admin tenant create",
  summary: "Create a tenant",
  positionals: [{ name: "name", description: "Name of the tenant, unless --name gives it" }],
  flags: { name: { type: "string", valueHint: "NAME", description: "Name of the tenant" }, ...QUOTA_FLAGS },
  examples: [['lattice admin tenant create --name="physics" --max-nodes=100', "a tenant with a hundred nodes at most"]],
  run: async (given, context) => {
    const name = nameOf(given);
    const request = { name, quota: quotaOf(given, DEFAULT_QUOTA), isolationLevel: given.text("isolation") ?? "" };
    const tenant = await context.client().admin.createTenant(request, { signal: context.signal });
    await printOne(context, tenant, { id: tenant.tenantId, text: () => `Created tenant: ${tenant.tenantId}\n` });
    return EXIT.ok;
  },
};

/** `lattice admin tenant update`. */
export const tenantUpdate: Command = {
  kind: "command",
  name: "admin tenant update",
  summary: "Change the quota or the isolation of a tenant",
  positionals: [{ name: "tenant", description: "The tenant", isRequired: true }],
  flags: QUOTA_FLAGS,
  examples: [["lattice admin tenant update physics --max-nodes=200", "only the nodes change"]],
  run: async (given, context) => {
    const tenantId = given.first() ?? "";
    const names = Object.keys(QUOTA_FLAGS);
    if (names.every((name) => given.text(name) === undefined)) {
      throw new UsageError("nothing to change is given", `give one of: ${names.map((name) => `--${name}`).join(", ")}`);
    }
    const before = await context.client().admin.getTenant({ tenantId }, { signal: context.signal });
    const isolationLevel = given.text("isolation");
    const request = {
      tenantId,
      quota: quotaOf(given, before.quota ?? DEFAULT_QUOTA),
      ...(isolationLevel === undefined ? {} : { isolationLevel }),
    };
    const tenant = await context.client().admin.updateTenant(request, { signal: context.signal });
    await printOne(context, tenant, { id: tenant.tenantId, text: () => `Updated tenant: ${tenant.tenantId}\n` });
    return EXIT.ok;
  },
};

/** `lattice admin tenant list`. */
export const tenantList: Command = {
  kind: "command",
  name: "admin tenant list",
  summary: "List tenants",
  run: async (_given, context) => {
    const { items } = await pageThrough(async (limit, cursor) => {
      const page = await context.client().admin.listTenants({ limit, cursor }, { signal: context.signal });
      return { items: page.tenants, nextCursor: page.nextCursor };
    });
    const view = { idOf: (t: TenantResponse) => t.tenantId, columns: COLUMNS, wide: BUDGETS, empty: "no tenants" };
    await printList(context, { rows: items, ...view });
    return EXIT.ok;
  },
};

/** `lattice admin tenant get`. */
export const tenantGet: Command = {
  kind: "command",
  name: "admin tenant get",
  summary: "Show a tenant",
  positionals: [{ name: "tenant", description: "The tenant", isRequired: true }],
  run: async (given, context) => {
    const tenantId = given.first() ?? "";
    const tenant = await context.client().admin.getTenant({ tenantId }, { signal: context.signal });
    const rows = [...COLUMNS.slice(1), ...BUDGETS].map(
      ({ title, value }) => [title.toLowerCase().replaceAll("_", " "), value(tenant)] as const,
    );
    const text = () => `Tenant ${tenant.tenantId}\n${pairs(rows, 80).join("\n")}\n`;
    await printOne(context, tenant, { id: tenant.tenantId, text });
    return EXIT.ok;
  },
};

/** What the servers give a tenant of which nothing is said. */
const DEFAULT_QUOTA = { maxNodes: 100, fairShareTarget: 0 };

type Quota = Omit<NonNullable<TenantResponse["quota"]>, "$typeName" | "$unknown">;

const none = (value: number | undefined): string => (value === undefined ? "-" : String(value));

const COLUMNS: readonly Column<TenantResponse>[] = [
  { title: "ID", value: (t) => t.tenantId, least: 12 },
  { title: "MAX_NODES", value: (t) => none(t.quota?.maxNodes), isNumber: true },
  { title: "FAIR_SHARE", value: (t) => none(t.quota?.fairShareTarget), isNumber: true },
  { title: "MAX_ALLOCATIONS", value: (t) => none(t.quota?.maxConcurrentAllocations), isNumber: true },
  { title: "ISOLATION", value: (t) => t.isolationLevel },
];

/** Of the list only where there is room: they are not active in this build. */
const BUDGETS: readonly Column<TenantResponse>[] = [
  { title: "GPU_HOURS", value: (t) => none(t.quota?.gpuHoursBudget), isNumber: true },
  { title: "NODE_HOURS", value: (t) => none(t.quota?.nodeHoursBudget), isNumber: true },
];

function nameOf(given: Given): string {
  const [positional, flag] = [given.first(), given.text("name")];
  const name = flag ?? positional;
  if (name === undefined) throw new UsageError("the name is missing", "write --name NAME");
  if (flag !== undefined && positional !== undefined) throw new UsageError("the name is given twice");
  return name;
}

/** The servers replace a quota whole, so what is not named keeps its value from `base`. */
function quotaOf(given: Given, base: Quota): Quota {
  const maxConcurrentAllocations = given.number("max-allocations") ?? base.maxConcurrentAllocations;
  const gpuHoursBudget = given.number("gpu-hours") ?? base.gpuHoursBudget;
  const nodeHoursBudget = given.number("node-hours") ?? base.nodeHoursBudget;
  const burstAllowance = given.number("burst") ?? base.burstAllowance;
  return {
    maxNodes: given.number("max-nodes") ?? base.maxNodes,
    fairShareTarget: given.number("fair-share") ?? base.fairShareTarget,
    ...(maxConcurrentAllocations === undefined ? {} : { maxConcurrentAllocations }),
    ...(gpuHoursBudget === undefined ? {} : { gpuHoursBudget }),
    ...(nodeHoursBudget === undefined ? {} : { nodeHoursBudget }),
    ...(burstAllowance === undefined ? {} : { burstAllowance }),
  };
}
