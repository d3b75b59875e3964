/** AdminService: each RPC is wire in, operation, wire out. */
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { archiveAudit } from "../../engine/server/audit/archive-audit.ts";
import { listArchives, queryAudit } from "../../engine/server/audit/query-audit.ts";
import { verifyAudit } from "../../engine/server/audit/verify-audit.ts";
import { createBackup, listBackups, stageRestore, verifyBackup } from "../../engine/server/operations/backup.ts";
import {
  addMember,
  promoteMember,
  raftStatus,
  removeMember,
  transferLeadership,
} from "../../engine/server/operations/cluster.ts";
import { createReservation, deleteReservation, listReservations } from "../../engine/server/operations/reservations.ts";
import { createTenant, getTenant, listTenants, updateTenant } from "../../engine/server/operations/tenants.ts";
import {
  createVCluster,
  getVCluster,
  getVClusterQueue,
  listVClusters,
  updateVCluster,
} from "../../engine/server/operations/vclusters.ts";
import type { Server } from "../../engine/server/server.ts";
import type { AdminService, RaftStatusResponse } from "../../gen/lattice/v1/admin_pb.ts";
import {
  auditArchivesToProto,
  auditEntryToProto,
  auditFilterFromProto,
  auditVerdictToProto,
} from "../../wire/audit.ts";
import { backupEntryToProto, backupToProto, stagedToProto, verdictToProto } from "../../wire/backup.ts";
import { raftStatusToProto } from "../../wire/raft-status.ts";
import { reservationToProto } from "../../wire/reservation.ts";
import { quotaAskedFromProto, tenantToProto } from "../../wire/tenant.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import {
  vclusterCapsFromProto,
  vclusterLimitsFromProto,
  vclusterToProto,
  weightsFromProto,
} from "../../wire/vcluster.ts";
import { callOf } from "../auth/connect-gate.ts";
import { refuseInactive } from "../not-active.ts";

/** Returns the implementation. */
export function adminService(server: Server): ServiceImpl<typeof AdminService> {
  return {
    ...tenants(server),
    ...vclusters(server),
    ...reservations(server),
    ...quorum(server),
    ...backups(server),
    ...audit(server),
    ...inactive(server),
  };
}

const tenants = (server: Server) =>
  ({
    async createTenant({ name, quota, isolationLevel }, context) {
      const wanted = { name, isolation: isolationLevel, quota: quota ? quotaAskedFromProto(quota) : {} };
      return tenantToProto(await createTenant(server, callOf(context), wanted));
    },
    async updateTenant({ tenantId: id, quota, isolationLevel }, context) {
      const change = {
        ...(quota && { quota: quotaAskedFromProto(quota) }),
        ...(isolationLevel !== undefined && { isolation: isolationLevel }),
      };
      return tenantToProto(await updateTenant(server, callOf(context), { id, change }));
    },
    async getTenant({ tenantId }, context) {
      return tenantToProto(await getTenant(server, callOf(context), tenantId));
    },
    async listTenants(page, context) {
      const { items, nextCursor = "" } = await listTenants(server, callOf(context), page);
      return { tenants: items.map(tenantToProto), nextCursor };
    },
  }) satisfies Partial<ServiceImpl<typeof AdminService>>;

const reservations = (server: Server) =>
  ({
    async createReservation({ startsAt, endsAt, tenantId: tenant, ...request }, context) {
      const wanted = {
        ...{ name: request.name, nodes: request.nodes, features: request.features, users: request.users },
        ...{ tenant, reason: request.reason },
        ...(startsAt && { from: timestampFromProto(startsAt) }),
        ...(endsAt && { until: timestampFromProto(endsAt) }),
      };
      return reservationToProto(await createReservation(server, callOf(context), wanted));
    },
    async listReservations(page, context) {
      const { items, nextCursor = "" } = await listReservations(server, callOf(context), page);
      return { reservations: items.map(reservationToProto), nextCursor };
    },
    async deleteReservation({ name }, context) {
      await deleteReservation(server, callOf(context), name);
      return { success: true };
    },
  }) satisfies Partial<ServiceImpl<typeof AdminService>>;

const vclusters = (server: Server) =>
  ({
    async createVCluster(request, context) {
      const wanted = {
        tenant: request.tenantId,
        name: request.name,
        schedulerType: request.schedulerType,
        dedicatedNodes: request.dedicatedNodes,
        allowsBorrowing: request.allowBorrowing,
        allowsLending: request.allowLending,
        sharesNodes: request.nodeSharing,
        ...vclusterLimitsFromProto(request),
        ...vclusterCapsFromProto(request),
        ...(request.costWeights && { weights: weightsFromProto(request.costWeights) }),
      };
      return vclusterToProto(await createVCluster(server, callOf(context), wanted));
    },
    async updateVCluster(request, context) {
      const change = {
        ...(request.schedulerType !== undefined && { schedulerType: request.schedulerType }),
        ...(request.allowBorrowing !== undefined && { allowsBorrowing: request.allowBorrowing }),
        ...(request.allowLending !== undefined && { allowsLending: request.allowLending }),
        ...(request.nodeSharing !== undefined && { sharesNodes: request.nodeSharing }),
        ...vclusterLimitsFromProto(request),
        ...vclusterCapsFromProto(request),
        ...(request.dedicatedNodes && { dedicatedNodes: request.dedicatedNodes.nodeIds }),
        ...(request.costWeights && { weights: weightsFromProto(request.costWeights) }),
      };
      return vclusterToProto(await updateVCluster(server, callOf(context), { id: request.vclusterId, change }));
    },
    async getVCluster({ vclusterId }, context) {
      return vclusterToProto(await getVCluster(server, callOf(context), vclusterId));
    },
    async listVClusters(request, context) {
      const asked = { filter: { tenant: request.tenantId }, page: request };
      const { items, nextCursor = "" } = await listVClusters(server, callOf(context), asked);
      return { vclusters: items.map(vclusterToProto), nextCursor };
    },
    async getVClusterQueue({ vclusterId }, context) {
      const { vcluster, pending, running } = await getVClusterQueue(server, callOf(context), vclusterId);
      return { vclusterId: vcluster, pending, running, total: pending + running };
    },
  }) satisfies Partial<ServiceImpl<typeof AdminService>>;

const quorum = (server: Server) =>
  ({
    getRaftStatus: (_, context) => quorumNow(server, context),
    async addRaftMember({ nodeId, address }, context) {
      await addMember(server, callOf(context), { id: Number(nodeId), address });
      return quorumNow(server, context);
    },
    async promoteRaftMember({ nodeId }, context) {
      await promoteMember(server, callOf(context), Number(nodeId));
      return quorumNow(server, context);
    },
    async removeRaftMember({ nodeId, membersIndex }, context) {
      const seen = membersIndex === undefined ? {} : { seenAt: Number(membersIndex) };
      await removeMember(server, callOf(context), { id: Number(nodeId), ...seen });
      return quorumNow(server, context);
    },
    async transferRaftLeadership({ nodeId }, context) {
      await transferLeadership(server, callOf(context), Number(nodeId));
      return quorumNow(server, context);
    },
  }) satisfies Partial<ServiceImpl<typeof AdminService>>;

const quorumNow = async (server: Server, context: HandlerContext): Promise<RaftStatusResponse> =>
  raftStatusToProto(await raftStatus(server, callOf(context)), server.clock.now());

const backups = (server: Server) =>
  ({
    async createBackup({ backupPath }, context) {
      return backupToProto(await createBackup(server, callOf(context), backupPath));
    },
    async backupVerify({ backupPath }, context) {
      return verdictToProto(await verifyBackup(server, callOf(context), backupPath));
    },
    async listBackups(_, context) {
      return { backups: (await listBackups(server, callOf(context))).map(backupEntryToProto) };
    },
    async restoreBackup({ backupPath, force }, context) {
      return stagedToProto(await stageRestore(server, callOf(context), { path: backupPath, isForced: force }));
    },
  }) satisfies Partial<ServiceImpl<typeof AdminService>>;

const audit = (server: Server) =>
  ({
    async queryAudit(request, context) {
      const asked = { filter: auditFilterFromProto(request), page: request };
      const { items, nextCursor = "" } = await queryAudit(server, callOf(context), asked);
      return { entries: items.map(auditEntryToProto), nextCursor };
    },
    async verifyAudit(_, context) {
      return auditVerdictToProto(await verifyAudit(server, callOf(context)));
    },
    async archiveAudit({ before }, context) {
      const call = callOf(context);
      await archiveAudit(server, call, before ? timestampFromProto(before) : server.clock.now());
      return auditArchivesToProto(listArchives(server, call));
    },
    async listAuditArchives(_, context) {
      return auditArchivesToProto(listArchives(server, callOf(context)));
    },
  }) satisfies Partial<ServiceImpl<typeof AdminService>>;

const inactive = (server: Server) =>
  ({
    getAccountingUsage: ({ tenantId: tenant }, context) =>
      refuseInactive(server, callOf(context), { operation: "usage.read", tenant }),
    getTenantUsage: ({ tenantId: tenant }, context) =>
      refuseInactive(server, callOf(context), { operation: "usage.read", tenant }),
    getUserUsage: ({ user: owner }, context) =>
      refuseInactive(server, callOf(context), { operation: "usage.read", owner }),
    lookupService: (_, context) => refuseInactive(server, callOf(context), { operation: "service.read" }),
    listServices: (_, context) => refuseInactive(server, callOf(context), { operation: "service.read" }),
  }) satisfies Partial<ServiceImpl<typeof AdminService>>;
