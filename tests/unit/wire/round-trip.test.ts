/** Shows that whatever a server knows of a thing survives the way to the wire and back, through its bytes. */
import { expect, test } from "bun:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { logIndex, millis } from "../../../src/base/brand.ts";
import type { Allocation } from "../../../src/core/domain/allocation.ts";
import type { AllocationRequest, Submission } from "../../../src/core/domain/allocation-request.ts";
import type { AllocationDetail, DagDetail, NodeDetail } from "../../../src/core/domain/detail.ts";
import {
  allocationId,
  dagId,
  nodeId,
  shortId,
  taskGroupId,
  tenantId,
  userId,
  vclusterId,
} from "../../../src/core/domain/ids.ts";
import { reason } from "../../../src/core/domain/reason.ts";
import type { TaskGroup } from "../../../src/core/domain/task-group.ts";
import { DEFAULT_WEIGHTS } from "../../../src/core/domain/tenant.ts";
import {
  RaftStatusResponseSchema,
  TenantResponseSchema,
  VClusterResponseSchema,
} from "../../../src/gen/lattice/v1/admin_pb.ts";
import {
  AllocationEventSchema,
  AllocationStatusSchema,
  DagStatusSchema,
  ExplainResponseSchema,
  LogEntrySchema,
  SubmitRequestSchema,
  SubmitResponseSchema,
} from "../../../src/gen/lattice/v1/allocations_pb.ts";
import { NodeStatusSchema } from "../../../src/gen/lattice/v1/nodes_pb.ts";
import { allocationStatusFromProto, allocationStatusToProto } from "../../../src/wire/allocation.ts";
import { allocationEventFromProto, allocationEventToProto } from "../../../src/wire/allocation-event.ts";
import { dagStatusFromProto, dagStatusToProto } from "../../../src/wire/dag.ts";
import { logLineFromProto, logLineToProto } from "../../../src/wire/log-line.ts";
import { nodeStatusFromProto, nodeStatusToProto } from "../../../src/wire/node.ts";
import { raftStatusFromProto, raftStatusToProto } from "../../../src/wire/raft-status.ts";
import { explanationFromProto, explanationToProto } from "../../../src/wire/reason.ts";
import {
  submissionFromProto,
  submissionToProto,
  submittedFromProto,
  submittedToProto,
} from "../../../src/wire/submission.ts";
import { tenantFromProto, tenantToProto } from "../../../src/wire/tenant.ts";
import { vclusterFromProto, vclusterToProto } from "../../../src/wire/vcluster.ts";
import { aCapacity, aRequest, aSpec } from "../../fixtures/builders.ts";

const EXTRA = {
  environment: { images: [{ spec: "img:1", imageType: "oci" }] },
  data: { mounts: [{ source: "/a", target: "/b" }] },
  connectivity: { networkDomain: "d" },
  checkpoint: { strategy: "auto" },
  telemetry: { mode: "debug", durationSeconds: "60" },
  liveness_probe: { probeType: "http", port: 80 },
};

const ENDED: Allocation = {
  id: allocationId("0190a000-0000-4000-8000-000000000001"),
  shortId: shortId(7),
  version: logIndex(42),
  user: userId("ann"),
  spec: aSpec({
    name: "train",
    project: "p",
    tags: { a: "b" },
    program: { kind: "script", text: "#!/bin/sh\ntrue\n" },
    env: { X: "1", EMPTY: "" },
    workdir: "/w",
    runOn: "every",
    resources: aRequest({
      nodesMin: 2,
      nodesMax: 4,
      perNode: { cpus: 3, memoryBytes: 2 ** 41, gpuMilli: 500 },
      features: ["nvme"],
      featureCounts: { ib: 1 },
      topology: "tight",
      gpuType: "H100",
      tasksPerNode: 2,
      cpusPerTask: 8,
      needsConformance: true,
      needsUnifiedMemory: true,
      allowsCxlMemory: true,
      storageMbps: 800,
    }),
    lifecycle: "reactive",
    reactive: { nodesMin: 1, nodesMax: 9, metric: "queue", target: "10" },
    walltimeMs: millis(90_061_500),
    requeuePolicy: "always",
    requeueMax: 5,
    isolation: "stop",
    gracePeriodMs: millis(1_500),
    isSensitive: true,
    dependsOn: [{ ref: "5", condition: "corresponding" }],
    extra: EXTRA,
  }),
  state: "failed",
  message: "exit code 3",
  submittedAt: millis(1_700_000_000_123),
  startedAt: millis(1_700_000_001_000),
  endedAt: millis(1_700_000_002_001),
  attempt: 2,
  requeueCount: 1,
  pastAttempts: [{ attempt: 1, nodes: [nodeId("n9")], message: "node n9 is down" }],
  walltimeMs: millis(100_000),
  parts: [
    {
      claim: { nodeId: nodeId("n1"), cpus: 3, memoryBytes: 2 ** 41, gpuMilli: 500, isExclusive: false },
      phase: "ended",
      exitCode: 0,
      cause: "exited",
      detail: "d",
    },
    {
      claim: { nodeId: nodeId("n2"), cpus: 3, memoryBytes: 1, gpuMilli: 0, isExclusive: true },
      phase: "running",
      signal: 9,
    },
  ],
  stopping: { reason: "walltime", at: millis(1_700_000_002_000), by: "system" },
  exitCode: 3,
  signal: 15,
  task: { group: taskGroupId("g"), groupShortId: shortId(6), index: 0 },
  dag: dagId("d"),
  waitsFor: [
    { condition: "success", on: allocationId("x") },
    { condition: "mutex", mutex: "lock" },
  ],
  notBefore: millis(1_700_000_009_000),
};

const FRESH: Allocation = {
  id: allocationId("0190a000-0000-4000-8000-000000000002"),
  shortId: shortId(8),
  version: logIndex(43),
  user: userId("ann"),
  spec: aSpec({ program: { kind: "argv", argv: ["echo", "a b", ""] } }),
  state: "pending",
  message: "",
  submittedAt: millis(1),
  attempt: 1,
  requeueCount: 0,
  walltimeMs: millis(0),
  parts: [],
  waitsFor: [],
};

const GROUP: TaskGroup = {
  id: taskGroupId("0190a000-0000-4000-8000-000000000003"),
  shortId: shortId(9),
  version: logIndex(44),
  user: userId("ann"),
  spec: aSpec(),
  ranges: [{ start: 0, end: 999_999, step: 1 }],
  total: 1_000_000,
  concurrentMax: 20,
  born: 300,
  counts: { pending: 256, running: 20, completed: 20, failed: 3, cancelled: 1 },
  submittedAt: millis(1_700_000_000_123),
  isCancelled: false,
  waitsFor: [],
};

const details: readonly AllocationDetail[] = [
  { kind: "allocation", allocation: ENDED, reasons: [] },
  { kind: "allocation", allocation: FRESH, reasons: [reason("GPU_TYPE", "H100", "ask for A100"), reason("PRIORITY")] },
  { kind: "task-group", group: GROUP, state: "running", reasons: [] },
];

test.each(details.map((detail) => [detail.kind, detail] as const))("an %s survives", (_, detail) => {
  const bytes = toBinary(AllocationStatusSchema, allocationStatusToProto(detail));
  expect(allocationStatusFromProto(fromBinary(AllocationStatusSchema, bytes))).toEqual(detail);
});

test("a workflow survives", () => {
  const detail: DagDetail = {
    dag: {
      id: dagId("d"),
      version: logIndex(3),
      tenant: tenantId("t"),
      user: userId("ann"),
      members: [ENDED.id, FRESH.id],
      submittedAt: millis(5),
    },
    state: "running",
    members: details.slice(0, 2),
    endedAt: millis(77),
  };
  const bytes = toBinary(DagStatusSchema, dagStatusToProto(detail));
  expect(dagStatusFromProto(fromBinary(DagStatusSchema, bytes))).toEqual(detail);
});

const KINDS = { conformance: "f00d", hasUnifiedMemory: true, cxlMemoryBytes: 1_000, powerWatts: 2_800 };

test("a node survives, with its claims and however odd its memory", () => {
  const detail: NodeDetail = {
    node: {
      id: nodeId("n1"),
      version: logIndex(9),
      state: "draining",
      health: "degraded",
      reason: "maintenance",
      drainReason: "",
      capacity: aCapacity({
        memoryBytes: 123_456_789,
        gpuMilli: 4_000,
        gpuType: "H100",
        features: ["ib"],
        group: 3,
        ...KINDS,
      }),
      address: "n1:50052",
      instanceId: "i",
      agentVersion: "1",
      registeredAt: millis(10),
      stateSince: millis(20),
      isDisabled: true,
      issues: ["disk full"],
    },
    lastHeartbeat: millis(30),
    claims: [
      {
        allocation: ENDED.id,
        claim: { nodeId: nodeId("n1"), cpus: 1, memoryBytes: 2 ** 40 + 1, gpuMilli: 250, isExclusive: false },
      },
    ],
  };
  const bytes = toBinary(NodeStatusSchema, nodeStatusToProto(detail));
  expect(nodeStatusFromProto(fromBinary(NodeStatusSchema, bytes))).toEqual(detail);
});

test("a tenant, a vCluster and the quorum's status survive", () => {
  const tenant = {
    id: tenantId("t"),
    version: logIndex(1),
    name: "t",
    quota: { nodesMax: 0, fairShareTarget: 0.5, gpuHoursBudget: 0, concurrentAllocationsMax: 3 },
    isolation: "strict",
    createdAt: millis(5),
  } as const;
  const tenantBytes = toBinary(TenantResponseSchema, tenantToProto(tenant));
  expect(tenantFromProto(fromBinary(TenantResponseSchema, tenantBytes))).toEqual(tenant);

  const vcluster = {
    id: vclusterId("t/v"),
    version: logIndex(2),
    tenant: tenantId("t"),
    name: "v",
    schedulerType: "interactive_fifo",
    weights: DEFAULT_WEIGHTS,
    dedicatedNodes: [nodeId("n1")],
    allowsBorrowing: false,
    allowsLending: true,
    lendPart: 0.5,
    borrowNodesMax: 3,
    splitsGpus: false,
    caps: { powerWatts: 9_000, storageMbps: 100 },
    sharesNodes: true,
    createdAt: millis(6),
  } as const;
  const vclusterBytes = toBinary(VClusterResponseSchema, vclusterToProto(vcluster));
  expect(vclusterFromProto(fromBinary(VClusterResponseSchema, vclusterBytes))).toEqual(vcluster);

  const status = {
    self: 1,
    leader: undefined,
    term: 4,
    commit: 100,
    applied: 99,
    stateHash: "00ff",
    membersAt: 7,
    members: [
      { id: 2, address: "b:9000", role: "follower", matchIndex: 90, lag: 10, lastContactMs: 15 },
      { id: 3, address: "c:9000", role: "learner", matchIndex: 0, lag: 100, lastContactMs: undefined },
      { id: 4, address: "d:9000", role: "leader", matchIndex: undefined, lag: undefined, lastContactMs: 0 },
    ],
  } as const;
  const now = millis(1_700_000_000_000);
  const statusBytes = toBinary(RaftStatusResponseSchema, raftStatusToProto(status, now));
  expect(raftStatusFromProto(fromBinary(RaftStatusResponseSchema, statusBytes))).toEqual(status);
});

test("events, output and explanations survive", () => {
  const event = {
    index: logIndex(5),
    at: millis(6),
    allocation: ENDED.id,
    shortId: shortId(7),
    tenant: tenantId("t"),
    to: "pending",
    message: "m",
  } as const;
  const eventBytes = toBinary(AllocationEventSchema, allocationEventToProto(event));
  expect(allocationEventFromProto(fromBinary(AllocationEventSchema, eventBytes))).toEqual(event);

  const data = new Uint8Array([0, 255, 10]);
  const line = { node: nodeId("n"), stream: "stderr", attempt: 2, offset: 2 ** 40, data, at: millis(9) } as const;
  expect(logLineFromProto(fromBinary(LogEntrySchema, toBinary(LogEntrySchema, logLineToProto(line))))).toEqual(line);

  const explanation = {
    id: ENDED.id,
    shortId: shortId(7),
    state: "pending",
    reasons: [reason("FEATURES")],
    position: 3,
    start: { by: millis(9_000), isPromised: true, likely: millis(5_000), earliest: millis(4_000) },
  } as const;
  const explained = toBinary(ExplainResponseSchema, explanationToProto(explanation));
  expect(explanationFromProto(fromBinary(ExplainResponseSchema, explained))).toEqual(explanation);
});

const REQUEST: AllocationRequest = {
  name: "a",
  tenant: "t",
  project: "p",
  vcluster: "v",
  tags: { k: "v" },
  script: "#!/bin/sh\n",
  env: { A: "1" },
  workdir: "/w",
  stdoutPath: "o",
  stderrPath: "e",
  runOn: "first",
  nodesMin: 2,
  nodesMax: 3,
  perNode: { cpus: 4, memoryBytes: 2 ** 35, gpuMilli: 1500 },
  isExclusive: true,
  gpuType: "H100",
  features: ["x"],
  featureCounts: { y: 2 },
  topology: "spread",
  tasks: 12,
  tasksPerNode: 4,
  cpusPerTask: 2,
  memoryBytesPerCpu: 2 ** 30,
  lifecycle: "unbounded",
  reactive: { nodesMin: 1, metric: "m" },
  walltimeMs: 90_500,
  preemptionClass: 5,
  requeuePolicy: "never",
  requeueMax: 2,
  isolation: "stop",
  gracePeriodMs: 250,
  isSensitive: true,
  dependsOn: [{ ref: "7", condition: "failure" }],
  extra: EXTRA,
};

const submissions: readonly Submission[] = [
  { kind: "single", request: REQUEST },
  { kind: "single", request: { entrypoint: "true" } },
  { kind: "dag", dagId: "d", requests: [{ name: "a", argv: ["x", ""] }, { name: "b" }] },
  { kind: "dag", requests: [] },
  { kind: "task-group", template: { entrypoint: "true" }, ranges: [{ start: 0, end: 9, step: 3 }], concurrentMax: 2 },
];

test.each(submissions.map((submission) => [submission.kind, submission] as const))("a %s survives", (_, submission) => {
  const bytes = toBinary(SubmitRequestSchema, submissionToProto(submission));
  expect(submissionFromProto(fromBinary(SubmitRequestSchema, bytes))).toEqual(submission);
});

test("what a submission gave survives, an array among it", () => {
  const single = { allocations: [{ id: ENDED.id, shortId: shortId(7) }], dag: dagId("d"), warnings: ["w"] };
  const array = { allocations: [], taskGroup: { id: GROUP.id, shortId: shortId(9) }, warnings: [] };
  for (const submitted of [single, array]) {
    const bytes = toBinary(SubmitResponseSchema, submittedToProto(submitted));
    expect(submittedFromProto(fromBinary(SubmitResponseSchema, bytes))).toEqual(submitted);
  }
});
