/** Tenants and their quotas between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import { logIndex } from "../base/brand.ts";
import { tenantId } from "../core/domain/ids.ts";
import type { IsolationLevel, Tenant, TenantQuota } from "../core/domain/tenant.ts";
import type { TenantQuotaSpec, TenantResponse } from "../gen/lattice/v1/admin_pb.ts";
import { TenantQuotaSpecSchema, TenantResponseSchema } from "../gen/lattice/v1/admin_pb.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** Reads the quota that a caller asks for: a zero of the two plain fields means "not said". */
export const quotaAskedFromProto = (proto: TenantQuotaSpec): Partial<TenantQuota> => ({
  ...(proto.maxNodes !== 0 && { nodesMax: proto.maxNodes }),
  ...(proto.fairShareTarget !== 0 && { fairShareTarget: proto.fairShareTarget }),
  ...optionalQuotaFromProto(proto),
});

const quotaFromProto = (proto: TenantQuotaSpec | undefined): TenantQuota => ({
  nodesMax: proto?.maxNodes ?? 0,
  fairShareTarget: proto?.fairShareTarget ?? 0,
  ...(proto && optionalQuotaFromProto(proto)),
});

const optionalQuotaFromProto = (proto: TenantQuotaSpec): Partial<TenantQuota> => ({
  ...(proto.gpuHoursBudget !== undefined && { gpuHoursBudget: proto.gpuHoursBudget }),
  ...(proto.nodeHoursBudget !== undefined && { nodeHoursBudget: proto.nodeHoursBudget }),
  ...(proto.burstAllowance !== undefined && { burstAllowance: proto.burstAllowance }),
  ...(proto.maxConcurrentAllocations !== undefined && { concurrentAllocationsMax: proto.maxConcurrentAllocations }),
});

/** Writes a quota; what is absent stays absent. */
export const quotaToProto = (quota: Partial<TenantQuota>): TenantQuotaSpec =>
  create(TenantQuotaSpecSchema, {
    maxNodes: quota.nodesMax ?? 0,
    fairShareTarget: quota.fairShareTarget ?? 0,
    ...(quota.gpuHoursBudget !== undefined && { gpuHoursBudget: quota.gpuHoursBudget }),
    ...(quota.nodeHoursBudget !== undefined && { nodeHoursBudget: quota.nodeHoursBudget }),
    ...(quota.burstAllowance !== undefined && { burstAllowance: quota.burstAllowance }),
    ...(quota.concurrentAllocationsMax !== undefined && { maxConcurrentAllocations: quota.concurrentAllocationsMax }),
  });

/** Writes a tenant. */
export const tenantToProto = (tenant: Tenant): TenantResponse =>
  create(TenantResponseSchema, {
    tenantId: tenant.id,
    name: tenant.name,
    quota: quotaToProto(tenant.quota),
    isolationLevel: tenant.isolation,
    version: BigInt(tenant.version),
    createdAt: timestampToProto(tenant.createdAt),
  });

/** Reads a tenant. */
export const tenantFromProto = (proto: TenantResponse): Tenant => ({
  id: tenantId(proto.tenantId),
  version: logIndex(Number(proto.version)),
  name: proto.name,
  quota: quotaFromProto(proto.quota),
  isolation: proto.isolationLevel as IsolationLevel,
  createdAt: timestampFromProto(proto.createdAt),
});
