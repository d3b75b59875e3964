/** Which row of the access table decides about each RPC. A test walks it, and fails for an RPC without a row. */
import type { DescMethod } from "@bufbuild/protobuf";
import { present } from "../../base/assert.ts";
import type { Operation } from "../../core/access/operations.ts";

/** By service and method of package lattice.v1. */
export const RPC_OPERATIONS = {
  "AllocationService.Submit": "allocation.submit",
  "AllocationService.Get": "allocation.read",
  "AllocationService.List": "allocation.read",
  "AllocationService.Cancel": "allocation.cancel",
  "AllocationService.Update": "allocation.update",
  "AllocationService.LaunchTasks": "allocation.launch",
  "AllocationService.Watch": "allocation.watch",
  "AllocationService.Checkpoint": "allocation.checkpoint",
  "AllocationService.Attach": "allocation.attach",
  "AllocationService.StreamLogs": "allocation.logs",
  "AllocationService.QueryMetrics": "allocation.metrics",
  "AllocationService.StreamMetrics": "allocation.metrics",
  "AllocationService.GetDiagnostics": "allocation.metrics",
  "AllocationService.CompareMetrics": "allocation.metrics",
  "AllocationService.GetDag": "dag.read",
  "AllocationService.ListDags": "dag.read",
  "AllocationService.CancelDag": "dag.cancel",
  "AllocationService.CreateSession": "session.create",
  "AllocationService.GetSession": "session.read",
  "AllocationService.DeleteSession": "session.delete",
  "AllocationService.Explain": "allocation.read",
  "NodeService.ListNodes": "node.read",
  "NodeService.GetNode": "node.read",
  "NodeService.DrainNode": "node.drain",
  "NodeService.UndrainNode": "node.undrain",
  "NodeService.DisableNode": "node.disable",
  "NodeService.EnableNode": "node.enable",
  "NodeService.RegisterNode": "agent.connect",
  "NodeService.UpdateNodeAddress": "agent.connect",
  "NodeService.Heartbeat": "agent.connect",
  "NodeService.Health": "node.read",
  "AdminService.CreateTenant": "tenant.create",
  "AdminService.UpdateTenant": "tenant.update",
  "AdminService.GetTenant": "tenant.read",
  "AdminService.ListTenants": "tenant.read",
  "AdminService.CreateVCluster": "vcluster.create",
  "AdminService.UpdateVCluster": "vcluster.update",
  "AdminService.GetVCluster": "vcluster.read",
  "AdminService.ListVClusters": "vcluster.read",
  "AdminService.GetVClusterQueue": "vcluster.read",
  "AdminService.GetRaftStatus": "raft.read",
  "AdminService.AddRaftMember": "raft.change",
  "AdminService.PromoteRaftMember": "raft.change",
  "AdminService.RemoveRaftMember": "raft.change",
  "AdminService.TransferRaftLeadership": "raft.change",
  "AdminService.CreateBackup": "backup.manage",
  "AdminService.BackupVerify": "backup.manage",
  "AdminService.RestoreBackup": "backup.manage",
  "AdminService.ListBackups": "backup.manage",
  "AdminService.QueryAudit": "audit.read",
  "AdminService.GetAccountingUsage": "usage.read",
  "AdminService.GetTenantUsage": "usage.read",
  "AdminService.GetUserUsage": "usage.read",
  "AdminService.LookupService": "service.read",
  "AdminService.ListServices": "service.read",
  "AgentService.Connect": "agent.connect",
  "AgentService.SendLogs": "agent.connect",
} as const satisfies Readonly<Record<string, Operation>>;

const BY_NAME: ReadonlyMap<string, Operation> = new Map(Object.entries(RPC_OPERATIONS));

/** Returns the row that decides about an RPC. */
export const operationOf = (method: DescMethod): Operation =>
  present(BY_NAME.get(`${method.parent.name}.${method.name}`), `${method.name} has a row in the table of RPCs`);
