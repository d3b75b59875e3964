/** Tenants and their quotas. */
import { compareText } from "../../../base/compare.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { tenantId } from "../../../core/domain/ids.ts";
import type { IsolationLevel, Tenant, TenantQuota } from "../../../core/domain/tenant.ts";
import { ISOLATION_LEVELS } from "../../../core/domain/tenant.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand } from "./access.ts";
import { checkName } from "./names.ts";
import { pageByText } from "./paging.ts";
import { propose } from "./propose.ts";
import type { Page, PageRequest } from "./results.ts";

const DEFAULT_QUOTA: TenantQuota = { nodesMax: 100, fairShareTarget: 0 };

/** What to set of a tenant; absent fields stay. */
export interface TenantChange {
  readonly quota?: Partial<TenantQuota>;
  readonly isolation?: string;
}

/** Creates a tenant. */
export async function createTenant(
  server: Server,
  call: Call,
  wanted: TenantChange & { readonly name: string },
): Promise<Tenant> {
  demand(call, "tenant.create");
  const id = tenantId(checkName("tenant", wanted.name));
  const quota = { ...DEFAULT_QUOTA, ...checkQuota(wanted.quota ?? {}) };
  const isolation = isolationOf(wanted.isolation) ?? "standard";
  const body = { kind: "create-tenant", tenant: id, name: wanted.name, quota, isolation } as const;
  const act = { operation: "tenant.create", target: { tenant: id } } as const;
  await propose(server, call, { operation: body.kind, request: body, body, act });
  return findTenant(server, id);
}

/** Changes what is given of a tenant. */
export async function updateTenant(
  server: Server,
  call: Call,
  { id, change }: { readonly id: string; readonly change: TenantChange },
): Promise<Tenant> {
  const tenant = tenantId(id);
  demand(call, "tenant.update", { tenant });
  const isolation = isolationOf(change.isolation);
  const quota = checkQuota(change.quota ?? {});
  const body = { kind: "update-tenant", tenant, quota, ...(isolation && { isolation }) } as const;
  const act = { operation: "tenant.update", target: { tenant } } as const;
  await propose(server, call, { operation: body.kind, request: body, body, act });
  return findTenant(server, id);
}

/** Returns one tenant. */
export async function getTenant(server: Server, call: Call, id: string): Promise<Tenant> {
  demand(call, "tenant.read", { tenant: tenantId(id) });
  return findTenant(server, id);
}

/** Returns tenants by id. */
export async function listTenants(server: Server, call: Call, page: PageRequest): Promise<Page<Tenant>> {
  demand(call, "tenant.read");
  const tenants = [...server.replica.state.tables.tenants.values()].sort((a, b) => compareText(a.id, b.id));
  return pageByText(tenants, (tenant) => tenant.id, page);
}

function findTenant(server: Server, id: string): Tenant {
  const tenant = server.replica.state.tables.tenants.get(tenantId(id));
  if (!tenant) throw new LatticeError(fault("TENANT_NOT_FOUND", `there is no tenant ${id}`));
  return tenant;
}

function isolationOf(text: string | undefined): IsolationLevel | undefined {
  if (text === undefined || text === "") return undefined;
  const level = ISOLATION_LEVELS.find((l) => l === text);
  if (!level) {
    const next = `give one of: ${ISOLATION_LEVELS.join(", ")}`;
    throw new LatticeError(fault("INVALID_SPEC", `the isolation level is ${JSON.stringify(text)}`, next));
  }
  return level;
}

/** Drops what is not given and refuses numbers that make no sense. */
function checkQuota(quota: Partial<TenantQuota>): Partial<TenantQuota> {
  const given = Object.entries(quota).filter(([, value]) => value !== undefined);
  for (const [field, value] of given) {
    const isCount = field.endsWith("Max");
    if (!Number.isFinite(value) || value < 0 || (isCount && !Number.isSafeInteger(value))) {
      throw new LatticeError(fault("INVALID_SPEC", `quota field ${field} is ${value}`));
    }
  }
  if (quota.fairShareTarget !== undefined && quota.fairShareTarget > 1) {
    throw new LatticeError(
      fault("INVALID_SPEC", `fair_share_target is ${quota.fairShareTarget} and must be from 0 to 1`),
    );
  }
  return Object.fromEntries(given);
}
