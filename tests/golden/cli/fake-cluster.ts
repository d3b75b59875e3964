/** A cluster that answers the CLI from fixed data, through the whole Connect stack but without a port. */

import type { JsonValue } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport, type Transport } from "@connectrpc/connect";
import { displayId } from "../../../src/cli/render/allocation-text.ts";
import { messageToJson } from "../../../src/client/messages.ts";
import { AdminService } from "../../../src/gen/lattice/v1/admin_pb.ts";
import {
  AllocationService,
  type AllocationStatus,
  AllocationStatusSchema,
} from "../../../src/gen/lattice/v1/allocations_pb.ts";
import { NodeService } from "../../../src/gen/lattice/v1/nodes_pb.ts";

/** Noon of a day; every fixed time is told from here. */
export const NOW = Date.UTC(2026, 0, 15, 12, 0, 0);

/** A cluster and what it was asked last. */
export interface FakeCluster {
  readonly transport: Transport;
  readonly lastRequest: () => JsonValue;
}

const at = (secondsAgo: number) => ({ seconds: BigInt(NOW / 1000 - secondsAgo), nanos: 0 });

const common = {
  user: "marie",
  exitCode: -1,
  attempt: 1,
  walltime: { seconds: 3600n },
  createdAt: at(600),
} as const;

const QUORUM = {
  leaderId: 1n,
  leaderAddress: "lattice-01.hpc.example.org:9000",
  selfId: 1n,
  currentTerm: 7n,
  commitIndex: 120_034n,
  lastApplied: 120_034n,
  stateHash: "8f00aa",
  members: [
    {
      nodeId: 1n,
      role: "leader",
      voter: true,
      matchIndex: 120_034n,
      lag: 0n,
      lastContactMs: 0n,
      address: "lattice-01.hpc.example.org:9000",
    },
    {
      nodeId: 2n,
      role: "follower",
      voter: true,
      matchIndex: 120_030n,
      lag: 4n,
      lastContactMs: 34n,
      address: "lattice-02.hpc.example.org:9000",
    },
    {
      nodeId: 3n,
      role: "follower",
      voter: true,
      matchIndex: 90_000n,
      lag: 30_034n,
      lastContactMs: 754_000n,
      address: "lattice-03.hpc.example.org:9000",
    },
    { nodeId: 4n, role: "learner", lag: 120_034n, address: "lattice-04.hpc.example.org:9000" },
  ],
};

const spec = (name: string) => ({
  name,
  tenant: "physics",
  vcluster: "default",
  entrypoint: `./${name} --fast`,
  workdir: "/scratch/marie/run",
  requeuePolicy: "on_node_failure",
  maxRequeue: 3,
  resources: { minNodes: 2, maxNodes: 2, cpusPerNode: 8, memoryBytesPerNode: 8n * 1024n ** 3n, gpuMilliPerNode: 2000 },
  lifecycle: { preemptionClass: 5 },
});

const ALLOCATIONS: readonly AllocationStatus[] = [
  create(AllocationStatusSchema, {
    ...common,
    allocationId: "0f3a9c2b-0000-4000-8000-00000000000c",
    shortId: 12n,
    state: "running",
    startedAt: at(65),
    assignedNodes: ["nid001", "nid002"],
    spec: spec("train-large-model"),
    parts: [
      { nodeId: "nid001", phase: "running", cpus: 8, gpuMilli: 2000, exitCode: -1 },
      { nodeId: "nid002", phase: "running", cpus: 8, gpuMilli: 2000, exitCode: -1 },
    ],
  }),
  create(AllocationStatusSchema, {
    ...common,
    allocationId: "0f3a9c2b-0000-4000-8000-00000000000d",
    shortId: 13n,
    state: "pending",
    spec: spec("evaluate"),
    reasons: [
      { code: "NODES_BUSY", message: "the nodes that suit it are in use" },
      {
        code: "QUOTA_NODES",
        message: "its tenant holds as many nodes as its quota allows: 2 of 2",
        change: "ask for fewer nodes",
      },
    ],
  }),
  create(AllocationStatusSchema, {
    ...common,
    allocationId: "0f3a9c2b-0000-4000-8000-00000000000e",
    shortId: 14n,
    state: "failed",
    startedAt: at(500),
    completedAt: at(440),
    exitCode: 3,
    assignedNodes: ["nid001"],
    spec: spec("broken"),
  }),
  create(AllocationStatusSchema, {
    ...common,
    allocationId: "0f3a9c2b-0000-4000-8000-00000000000f",
    shortId: 15n,
    state: "running",
    spec: spec("sweep"),
    taskGroup: {
      total: 100,
      pending: 90,
      running: 4,
      completed: 5,
      failed: 1,
      maxConcurrent: 4,
      ranges: [{ start: 0, end: 99, step: 1 }],
    },
  }),
  create(AllocationStatusSchema, {
    ...common,
    allocationId: "0f3a9c2b-0000-4000-8000-000000000010",
    shortId: 16n,
    state: "running",
    startedAt: at(90_061),
    assignedNodes: ["nid003"],
    spec: spec("sweep"),
    taskGroupId: "0f3a9c2b-0000-4000-8000-00000000000f",
    taskGroupShortId: 15n,
    taskIndex: 6,
  }),
  create(AllocationStatusSchema, {
    ...common,
    allocationId: "0f3a9c2b-0000-4000-8000-000000000011",
    shortId: 17n,
    state: "pending",
    spec: spec("sweep"),
    taskGroupId: "0f3a9c2b-0000-4000-8000-00000000000f",
    taskGroupShortId: 15n,
    taskIndex: 7,
  }),
];

const NODES = [
  {
    nodeId: "nid001",
    state: "ready",
    cpuCores: 64,
    totalMemoryCapacityBytes: 512n * 1024n ** 3n,
    gpuMilli: 4000,
    gpuType: "gh200",
    features: ["ib", "nvme"],
    agentAddress: "10.0.0.1:50052",
    agentVersion: "0.1.0",
    lastHeartbeat: at(2),
    stateSince: at(7200),
    registeredAt: at(86_400),
    claims: [{ allocationId: "0f3a9c2b-0000-4000-8000-00000000000c", cpus: 8, gpuMilli: 2000, memoryBytes: 8n << 30n }],
  },
  {
    nodeId: "nid002",
    state: "draining",
    stateReason: "maintenance",
    cpuCores: 64,
    totalMemoryCapacityBytes: 512n << 30n,
  },
  { nodeId: "nid003", state: "down", stateReason: "no heartbeat for 40 s", cpuCores: 128, disabled: true },
];

const fault = (code: Code, reason: string, message: string, next: string): ConnectError =>
  new ConnectError(message, code, { "lattice-reason": reason, "lattice-next": next });

/** Returns a cluster with a few allocations, nodes, tenants and one workflow. */
export function fakeCluster(): FakeCluster {
  let last: JsonValue = null;
  const note = <M extends Parameters<typeof messageToJson>[0]>(message: M): M => {
    last = messageToJson(message);
    return message;
  };
  const find = (id: string): AllocationStatus => {
    const found = ALLOCATIONS.find((a) => displayId(a) === id || a.allocationId === id);
    if (found) return found;
    throw fault(
      Code.NotFound,
      "ALLOCATION_NOT_FOUND",
      `there is no allocation ${id}`,
      "list allocations with: lattice status",
    );
  };
  const transport = createRouterTransport(({ service }) => {
    service(AllocationService, {
      submit: (request) => {
        note(request);
        const isGroup = request.submission.case === "taskGroup";
        return {
          allocationIds: ["0f3a9c2b-0000-4000-8000-0000000000ff"],
          shortIds: [18n],
          taskGroupId: isGroup ? "0f3a9c2b-0000-4000-8000-0000000000ff" : "",
          dagId: request.submission.case === "dag" ? "dag-1" : "",
          warnings: isGroup ? ["line 3: --mail-type: no mail is sent"] : [],
        };
      },
      get: (request) => find(note(request).allocationId),
      list: (request) => {
        const states = note(request).state.split(",");
        return { allocations: ALLOCATIONS.filter((a) => states.includes(a.state)).toReversed(), nextCursor: "" };
      },
      cancel: (request) => {
        const found = find(note(request).allocationId);
        if (found.state === "failed") {
          throw fault(
            Code.FailedPrecondition,
            "ILLEGAL_TRANSITION",
            "allocation 14 has ended: failed",
            "nothing is left to do",
          );
        }
        return { success: true };
      },
      explain: (request) => {
        const { allocationId, shortId, state, reasons } = find(note(request).allocationId);
        return { allocationId, shortId, state, reasons, position: state === "pending" ? 3 : 0 };
      },
      async *streamLogs(request) {
        find(note(request).allocationId);
        const text = (line: string) => new TextEncoder().encode(line);
        yield { nodeId: "nid001", stream: 0, data: text("hello\nwor"), offset: 0n, attempt: 1 };
        yield { nodeId: "nid001", stream: 1, data: text("oh\n"), offset: 0n, attempt: 1 };
        yield { nodeId: "nid001", stream: 0, data: text("ld\n"), offset: 9n, attempt: 1 };
      },
      async *watch(request, { signal }) {
        note(request);
        yield {
          allocationId: ALLOCATIONS[0]?.allocationId ?? "",
          shortId: 12n,
          eventType: "state_change",
          previousState: "staging",
          state: "running",
          timestamp: at(65),
        };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
      getDag: (request) => ({ dagId: note(request).dagId, state: "running", allocations: ALLOCATIONS.slice(0, 2) }),
      listDags: (request) => {
        note(request);
        return {
          dags: [
            {
              dagId: "dag-1",
              state: "running",
              user: "marie",
              createdAt: at(60),
              allocations: ALLOCATIONS.slice(1, 3),
            },
          ],
        };
      },
      cancelDag: (request) => {
        note(request);
        return { success: true, allocationsCancelled: 2 };
      },
    });
    service(NodeService, {
      listNodes: (request) => {
        const { state } = note(request);
        return { nodes: NODES.filter((node) => state === "" || node.state === state) };
      },
      getNode: (request) => {
        const node = NODES.find(({ nodeId }) => nodeId === note(request).nodeId);
        if (!node)
          throw fault(
            Code.NotFound,
            "NODE_NOT_FOUND",
            `there is no node ${request.nodeId}`,
            "list nodes with: lattice nodes",
          );
        return node;
      },
      drainNode: (request) => ({ success: true, activeAllocations: note(request).nodeId === "nid001" ? 1 : 0 }),
      undrainNode: (request) => {
        throw fault(
          Code.FailedPrecondition,
          "ILLEGAL_TRANSITION",
          `node ${note(request).nodeId} is draining`,
          "wait until it is drained",
        );
      },
      disableNode: (request) => ({ success: note(request).nodeId !== "" }),
      enableNode: (request) => ({ success: note(request).nodeId !== "" }),
    });
    service(AdminService, {
      createTenant: (request) => ({ tenantId: note(request).name, name: request.name, quota: request.quota ?? {} }),
      getTenant: (request) => ({
        tenantId: note(request).tenantId,
        name: request.tenantId,
        quota: { maxNodes: 100, fairShareTarget: 0.25, gpuHoursBudget: 5000 },
        isolationLevel: "standard",
      }),
      updateTenant: (request) => ({ tenantId: note(request).tenantId, quota: request.quota ?? {} }),
      listTenants: (request) => {
        note(request);
        const quota = { maxNodes: 100, fairShareTarget: 0.25, gpuHoursBudget: 5000 };
        return { tenants: [{ tenantId: "default" }, { tenantId: "physics", quota, isolationLevel: "standard" }] };
      },
      createVCluster: (request) => ({ vclusterId: `${note(request).tenantId}/${request.name}` }),
      getVCluster: (request) => ({
        vclusterId: note(request).vclusterId,
        tenantId: "physics",
        schedulerType: "hpc_backfill",
        costWeights: { priority: 0.2, fairShare: 0.2 },
      }),
      getVClusterQueue: (request) => ({ vclusterId: request.vclusterId, pending: 3, running: 1, total: 4 }),
      updateVCluster: (request) => ({ vclusterId: note(request).vclusterId }),
      listVClusters: (request) => {
        note(request);
        return {
          vclusters: [
            { vclusterId: "physics/gpu", tenantId: "physics", schedulerType: "hpc_backfill", nodeSharing: true },
          ],
        };
      },
      getRaftStatus: () => QUORUM,
      addRaftMember: (request) => note(request) && QUORUM,
      removeRaftMember: (request) => note(request) && QUORUM,
      transferRaftLeadership: (request) => note(request) && QUORUM,
      promoteRaftMember: () => {
        throw fault(
          Code.FailedPrecondition,
          "ILLEGAL_TRANSITION",
          "member 4 lags by 5000 entries",
          "wait until its lag is small",
        );
      },
    });
  });
  return { transport, lastRequest: () => last };
}
