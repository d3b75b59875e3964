/** The tree of commands. Each is loaded only when it runs, so that start-up stays short. */

import type { AuditParent } from "./commands/audit.ts";
import type { NodeChange } from "./commands/node-state.ts";
import { type Group, group, lazy } from "./grammar/command.ts";

const nodeChange = (parent: "node" | "admin", name: NodeChange, summary: string) =>
  lazy(name, summary, async () => (await import("./commands/node-state.ts")).nodeStateCommand(parent, name));

const nodeChanges = (parent: "node" | "admin") => [
  nodeChange(parent, "drain", "Let a node run empty"),
  nodeChange(parent, "undrain", "Put a drained node back into service"),
  nodeChange(parent, "disable", "Take a node out until it is enabled"),
  nodeChange(parent, "enable", "Let a disabled node come back"),
  nodeChange(parent, "claim", "Keep an idle node for your own sensitive work"),
  nodeChange(parent, "release", "Give a claimed node back"),
];

const dag = group("dag", "Workflows: allocations that depend on each other", [
  lazy(
    "submit",
    "Submit a workflow from a YAML file",
    async () => (await import("./commands/dag-submit.ts")).dagSubmit,
  ),
  lazy("status", "Show a workflow with its members", async () => (await import("./commands/dag.ts")).dagStatus),
  lazy("list", "List workflows", async () => (await import("./commands/dag.ts")).dagList),
  lazy("cancel", "Cancel what has not ended of a workflow", async () => (await import("./commands/dag.ts")).dagCancel),
]);

const tenant = group("tenant", "Tenants and their quotas", [
  lazy("create", "Create a tenant", async () => (await import("./commands/tenant.ts")).tenantCreate),
  lazy("update", "Change a quota or the isolation", async () => (await import("./commands/tenant.ts")).tenantUpdate),
  lazy("list", "List tenants", async () => (await import("./commands/tenant.ts")).tenantList),
  lazy("get", "Show a tenant", async () => (await import("./commands/tenant.ts")).tenantGet),
]);

const reserve = group("reserve", "Reservations: nodes kept for somebody, or free of work", [
  lazy("create", "Reserve nodes", async () => (await import("./commands/reserve.ts")).reserveCreate),
  lazy("list", "List reservations", async () => (await import("./commands/reserve.ts")).reserveList),
  lazy("delete", "Delete a reservation", async () => (await import("./commands/reserve.ts")).reserveDelete),
]);

const vcluster = group("vcluster", "vClusters: policies under which work is placed", [
  lazy("create", "Create a vCluster", async () => (await import("./commands/vcluster.ts")).vclusterCreate),
  lazy("update", "Change a vCluster", async () => (await import("./commands/vcluster.ts")).vclusterUpdate),
  lazy("list", "List vClusters", async () => (await import("./commands/vcluster.ts")).vclusterList),
  lazy("get", "Show a vCluster with its queue", async () => (await import("./commands/vcluster.ts")).vclusterGet),
]);

const trace = group("trace", "The history of the cluster, for rm-replay", [
  lazy("export", "Write what has run", async () => (await import("./replay/trace-export.ts")).traceExport),
]);

const backup = group("backup", "Copies of the state of the cluster", [
  lazy("create", "Make a backup", async () => (await import("./commands/backup.ts")).backupCreate),
  lazy("list", "List backups", async () => (await import("./commands/backup.ts")).backupList),
  lazy("verify", "Check a backup from end to end", async () => (await import("./commands/backup.ts")).backupVerify),
  lazy("restore", "Restore a backup", async () => (await import("./commands/backup.ts")).backupRestore),
]);

const auditCommands = (parent: AuditParent) => [
  lazy("query", "Show who did what", async () => (await import("./commands/audit.ts")).auditQuery(parent)),
  lazy("export", "Print every entry with its signature", async () =>
    (await import("./commands/audit.ts")).auditExport(parent),
  ),
  lazy("verify", "Verify the whole chain of entries", async () =>
    (await import("./commands/audit.ts")).auditVerify(parent),
  ),
  lazy("archive", "Move old entries into files", async () =>
    (await import("./commands/audit.ts")).auditArchive(parent),
  ),
  lazy("archives", "List the archives", async () => (await import("./commands/audit.ts")).auditArchives(parent)),
];

const AUDIT = "The record of what was done, by whom and from where";

const raftStatus = (name: "raft-status" | "admin raft-status" | "admin raft status") =>
  lazy(name.slice(name.lastIndexOf(" ") + 1), "Show the quorum of the servers", async () =>
    (await import("./commands/raft.ts")).raftStatus(name),
  );

const raft = group("raft", "The quorum of the servers and its members", [
  raftStatus("admin raft status"),
  lazy("add", "Let a server join", async () => (await import("./commands/raft.ts")).raftAdd),
  lazy("promote", "Let a learner vote and count", async () => (await import("./commands/raft.ts")).raftPromote),
  lazy("remove", "Take a member out for good", async () => (await import("./commands/raft.ts")).raftRemove),
  lazy("transfer", "Hand leadership over", async () => (await import("./commands/raft.ts")).raftTransfer),
]);

/** Every command of `lattice`. */
export const PROGRAM: Group = group("lattice", "Lattice schedules and runs work on HPC and AI clusters.", [
  lazy("submit", "Submit a batch script or a command", async () => (await import("./commands/submit.ts")).submit),
  lazy(
    "status",
    "Show what waits or runs, or one allocation",
    async () => (await import("./commands/status.ts")).status,
  ),
  lazy("explain", "Say why an allocation waits", async () => (await import("./commands/explain.ts")).explain),
  lazy("logs", "Show the output of an allocation", async () => (await import("./commands/logs.ts")).logs),
  lazy("cancel", "End allocations and arrays", async () => (await import("./commands/cancel.ts")).cancel),
  lazy("watch", "Show changes as they happen", async () => (await import("./commands/watch.ts")).watch),
  lazy("nodes", "Show the nodes, or one of them", async () => (await import("./commands/nodes.ts")).nodes),
  group("node", "Take nodes out of service and back", nodeChanges("node")),
  dag,
  group("admin", "Tenants, vClusters, nodes and the quorum", [
    tenant,
    vcluster,
    reserve,
    trace,
    backup,
    group("audit", AUDIT, auditCommands("admin audit")),
    raft,
    ...nodeChanges("admin"),
    lazy(
      "join-token",
      "Let a node get its first certificate",
      async () => (await import("./commands/admin/join-token.ts")).joinToken,
    ),
    lazy(
      "diagnose",
      "Collect what somebody else needs to help",
      async () => (await import("./commands/admin/diagnose.ts")).diagnose,
    ),
    raftStatus("admin raft-status"),
  ]),
  group("audit", AUDIT, auditCommands("audit")),
  raftStatus("raft-status"),
  lazy("login", "Log in at the site's identity provider", async () => (await import("./commands/login.ts")).login),
  lazy("logout", "Take the saved login back and forget it", async () => (await import("./commands/logout.ts")).logout),
  lazy("whoami", "Show whom the server takes you for", async () => (await import("./commands/whoami.ts")).whoami),
  lazy("completions", "Print the completions of a shell", async () =>
    (await import("./commands/completions.ts")).completionsCommand(PROGRAM),
  ),
]);
