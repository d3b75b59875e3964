/**
 * AllocationSpec between domain and wire, both directions. As a request, every field may be
 * absent: on the wire a zero, an empty text and an absent message all mean "not said". As
 * the spec of an existing allocation, every field has its value.
 */

import { create } from "@bufbuild/protobuf";
import type { Millis } from "../base/brand.ts";
import { millis } from "../base/brand.ts";
import type {
  AllocationSpec,
  DependencyCondition,
  Isolation,
  LifecycleKind,
  Program,
  ReactiveSpec,
  RequeuePolicy,
} from "../core/domain/allocation.ts";
import type { AllocationRequest } from "../core/domain/allocation-request.ts";
import { tenantId, vclusterId } from "../core/domain/ids.ts";
import type { Amount, ResourceRequest, TopologyHint } from "../core/domain/resources.ts";
import type {
  LifecycleSpec as ProtoLifecycle,
  ResourceSpec as ProtoResources,
  AllocationSpec as ProtoSpec,
} from "../gen/lattice/v1/allocations_pb.ts";
import {
  AllocationSpecSchema,
  LifecycleSpec_Type,
  LifecycleSpecSchema,
  ResourceSpecSchema,
} from "../gen/lattice/v1/allocations_pb.ts";
import { durationFromProto, durationToProto } from "./duration.ts";
import { extraFromProto, extraToProto } from "./extra.ts";

/** Reads what a caller asks for. */
export function allocationRequestFromProto(proto: ProtoSpec): AllocationRequest {
  const extra = extraFromProto(proto);
  return {
    ...text("name", proto.name || proto.id),
    ...text("tenant", proto.tenant),
    ...text("project", proto.project),
    ...text("vcluster", proto.vcluster),
    ...entries("tags", proto.tags),
    ...text("entrypoint", proto.entrypoint),
    ...text("script", proto.script),
    ...list("argv", proto.argv),
    ...entries("env", proto.env),
    ...text("workdir", proto.workdir),
    ...text("stdoutPath", proto.stdoutPath),
    ...text("stderrPath", proto.stderrPath),
    ...text("runOn", proto.runOn),
    ...(proto.resources && resourcesAsked(proto.resources)),
    ...(proto.lifecycle && lifecycleAsked(proto.lifecycle)),
    ...text("requeuePolicy", proto.requeuePolicy),
    ...(proto.maxRequeue !== undefined && { requeueMax: proto.maxRequeue }),
    ...text("isolation", proto.isolation),
    ...text("begin", proto.begin),
    ...text("deadline", proto.deadline),
    ...(proto.gracePeriod && { gracePeriodMs: durationFromProto(proto.gracePeriod) }),
    ...flag("isSensitive", proto.sensitive),
    ...list(
      "dependsOn",
      proto.dependsOn.map((d) => ({ ref: d.refId, condition: d.condition || "success" })),
    ),
    ...(extra && { extra }),
  };
}

/** Writes what a caller asks for. */
export function allocationRequestToProto(request: AllocationRequest): ProtoSpec {
  const proto = create(AllocationSpecSchema, {
    id: request.name ?? "",
    name: request.name ?? "",
    tenant: request.tenant ?? "",
    project: request.project ?? "",
    vcluster: request.vcluster ?? "",
    tags: { ...request.tags },
    entrypoint: request.entrypoint ?? "",
    script: request.script ?? "",
    argv: [...(request.argv ?? [])],
    env: { ...request.env },
    workdir: request.workdir ?? "",
    stdoutPath: request.stdoutPath ?? "",
    stderrPath: request.stderrPath ?? "",
    runOn: request.runOn ?? "",
    resources: resourcesOfRequest(request),
    lifecycle: lifecycleOfRequest(request),
    requeuePolicy: request.requeuePolicy ?? "",
    ...(request.requeueMax !== undefined && { maxRequeue: request.requeueMax }),
    isolation: request.isolation ?? "",
    begin: request.begin ?? "",
    deadline: request.deadline ?? "",
    sensitive: request.isSensitive ?? false,
    dependsOn: (request.dependsOn ?? []).map((d) => ({ refId: d.ref, condition: d.condition })),
    ...extraToProto(request.extra),
  });
  if (request.gracePeriodMs !== undefined) proto.gracePeriod = durationToProto(request.gracePeriodMs);
  return proto;
}

/** Writes the spec of an existing allocation. */
export function allocationSpecToProto(spec: AllocationSpec): ProtoSpec {
  return create(AllocationSpecSchema, {
    id: spec.name,
    name: spec.name,
    tenant: spec.tenant,
    project: spec.project,
    vcluster: spec.vcluster,
    tags: { ...spec.tags },
    ...programToProto(spec.program),
    env: { ...spec.env },
    workdir: spec.workdir,
    stdoutPath: spec.stdoutPath,
    stderrPath: spec.stderrPath,
    runOn: spec.runOn,
    resources: resourcesToProto(spec.resources),
    lifecycle: lifecycleToProto(spec),
    requeuePolicy: spec.requeuePolicy,
    maxRequeue: spec.requeueMax,
    isolation: spec.isolation,
    begin: momentText(spec.begin),
    deadline: momentText(spec.deadline),
    gracePeriod: durationToProto(spec.gracePeriodMs),
    sensitive: spec.isSensitive,
    dependsOn: spec.dependsOn.map((d) => ({ refId: d.ref, condition: d.condition })),
    ...extraToProto(spec.extra),
  });
}

/** Reads the spec of an existing allocation, as a server wrote it. */
export function allocationSpecFromProto(proto: ProtoSpec): AllocationSpec {
  const { lifecycle } = proto;
  const kind = LIFECYCLES[lifecycle?.type ?? LifecycleSpec_Type.BOUNDED] ?? "bounded";
  const extra = extraFromProto(proto);
  return {
    name: proto.name,
    tenant: tenantId(proto.tenant),
    project: proto.project,
    vcluster: vclusterId(proto.vcluster),
    tags: { ...proto.tags },
    program: programFromProto(proto),
    env: { ...proto.env },
    workdir: proto.workdir,
    stdoutPath: proto.stdoutPath,
    stderrPath: proto.stderrPath,
    runOn: proto.runOn === "every" ? "every" : "first",
    resources: resourcesFromProto(proto.resources ?? create(ResourceSpecSchema)),
    lifecycle: kind,
    ...(kind === "reactive" && lifecycle && { reactive: reactiveFromProto(lifecycle) }),
    walltimeMs: durationFromProto(lifecycle?.walltime),
    preemptionClass: lifecycle?.preemptionClass ?? 0,
    requeuePolicy: proto.requeuePolicy as RequeuePolicy,
    requeueMax: proto.maxRequeue ?? 0,
    isolation: proto.isolation as Isolation,
    gracePeriodMs: durationFromProto(proto.gracePeriod),
    isSensitive: proto.sensitive,
    ...(proto.begin !== "" && { begin: millis(Date.parse(proto.begin)) }),
    ...(proto.deadline !== "" && { deadline: millis(Date.parse(proto.deadline)) }),
    dependsOn: proto.dependsOn.map((d) => ({ ref: d.refId, condition: d.condition as DependencyCondition })),
    ...(extra && { extra }),
  };
}

const momentText = (at: Millis | undefined): string => (at === undefined ? "" : new Date(at).toISOString());

const LIFECYCLES: Readonly<Record<LifecycleSpec_Type, LifecycleKind>> = {
  [LifecycleSpec_Type.BOUNDED]: "bounded",
  [LifecycleSpec_Type.UNBOUNDED]: "unbounded",
  [LifecycleSpec_Type.REACTIVE]: "reactive",
};

const LIFECYCLE_TYPES: Readonly<Record<string, LifecycleSpec_Type>> = {
  bounded: LifecycleSpec_Type.BOUNDED,
  unbounded: LifecycleSpec_Type.UNBOUNDED,
  reactive: LifecycleSpec_Type.REACTIVE,
};

/** "Bounded" is the zero of the enum, so it counts as not said. */
function lifecycleAsked(proto: ProtoLifecycle): AllocationRequest {
  const reactive = reactiveAsked(proto);
  return {
    ...(proto.type !== LifecycleSpec_Type.BOUNDED && { lifecycle: LIFECYCLES[proto.type] ?? "bounded" }),
    ...(proto.walltime && { walltimeMs: durationFromProto(proto.walltime) }),
    ...(proto.preemptionClass !== undefined && { preemptionClass: proto.preemptionClass }),
    ...(Object.keys(reactive).length > 0 && { reactive }),
  };
}

const reactiveAsked = (proto: ProtoLifecycle): Partial<ReactiveSpec> => ({
  ...count("nodesMin", proto.reactiveMinNodes),
  ...count("nodesMax", proto.reactiveMaxNodes),
  ...text("metric", proto.reactiveMetric),
  ...text("target", proto.reactiveTarget),
});

const reactiveFromProto = (proto: ProtoLifecycle): ReactiveSpec => ({
  nodesMin: proto.reactiveMinNodes,
  nodesMax: proto.reactiveMaxNodes,
  metric: proto.reactiveMetric,
  target: proto.reactiveTarget,
});

const reactiveToProto = (reactive: Partial<ReactiveSpec> | undefined) => ({
  reactiveMinNodes: reactive?.nodesMin ?? 0,
  reactiveMaxNodes: reactive?.nodesMax ?? 0,
  reactiveMetric: reactive?.metric ?? "",
  reactiveTarget: reactive?.target ?? "",
});

function lifecycleOfRequest(request: AllocationRequest): ProtoLifecycle {
  const proto = create(LifecycleSpecSchema, {
    type: LIFECYCLE_TYPES[request.lifecycle ?? "bounded"] ?? LifecycleSpec_Type.BOUNDED,
    ...(request.preemptionClass !== undefined && { preemptionClass: request.preemptionClass }),
    ...reactiveToProto(request.reactive),
  });
  if (request.walltimeMs !== undefined) proto.walltime = durationToProto(request.walltimeMs);
  return proto;
}

const lifecycleToProto = (spec: AllocationSpec): ProtoLifecycle =>
  create(LifecycleSpecSchema, {
    type: LIFECYCLE_TYPES[spec.lifecycle] ?? LifecycleSpec_Type.BOUNDED,
    walltime: durationToProto(spec.walltimeMs),
    preemptionClass: spec.preemptionClass,
    ...reactiveToProto(spec.reactive),
  });

function resourcesAsked(proto: ProtoResources): AllocationRequest {
  const perNode: Partial<Amount> = {
    ...count("cpus", proto.cpusPerNode),
    ...count("memoryBytes", Number(proto.memoryBytesPerNode)),
    ...count("gpuMilli", proto.gpuMilliPerNode),
  };
  return {
    ...count("nodesMin", proto.minNodes),
    ...count("nodesMax", proto.maxNodes),
    ...(Object.keys(perNode).length > 0 && { perNode }),
    ...flag("isExclusive", proto.exclusive),
    ...text("gpuType", proto.gpuType),
    ...list("features", proto.features),
    ...entries("featureCounts", proto.featureCounts),
    ...text("topology", proto.topologyHint),
    ...nodeKindsFromProto(proto),
    ...count("tasks", proto.tasks),
    ...count("tasksPerNode", proto.tasksPerNode),
    ...count("cpusPerTask", proto.cpusPerTask),
    ...count("memoryBytesPerCpu", Number(proto.memoryBytesPerCpu)),
  };
}

const resourcesOfRequest = (request: AllocationRequest): ProtoResources =>
  create(ResourceSpecSchema, {
    minNodes: request.nodesMin ?? 0,
    maxNodes: request.nodesMax ?? 0,
    cpusPerNode: request.perNode?.cpus ?? 0,
    memoryBytesPerNode: BigInt(request.perNode?.memoryBytes ?? 0),
    gpuMilliPerNode: request.perNode?.gpuMilli ?? 0,
    exclusive: request.isExclusive ?? false,
    gpuType: request.gpuType ?? "",
    features: [...(request.features ?? [])],
    featureCounts: { ...request.featureCounts },
    topologyHint: request.topology ?? "",
    ...nodeKindsToProto(request),
    tasks: request.tasks ?? 0,
    tasksPerNode: request.tasksPerNode ?? 0,
    cpusPerTask: request.cpusPerTask ?? 0,
    memoryBytesPerCpu: BigInt(request.memoryBytesPerCpu ?? 0),
  });

const resourcesToProto = (resources: ResourceRequest): ProtoResources =>
  create(ResourceSpecSchema, {
    minNodes: resources.nodesMin,
    maxNodes: resources.nodesMax,
    cpusPerNode: resources.perNode.cpus,
    memoryBytesPerNode: BigInt(resources.perNode.memoryBytes),
    gpuMilliPerNode: resources.perNode.gpuMilli,
    exclusive: resources.isExclusive,
    gpuType: resources.gpuType,
    features: [...resources.features],
    featureCounts: { ...resources.featureCounts },
    topologyHint: resources.topology,
    ...nodeKindsToProto(resources),
    tasksPerNode: resources.tasksPerNode,
    cpusPerTask: resources.cpusPerTask,
  });

const resourcesFromProto = (proto: ProtoResources): ResourceRequest => ({
  nodesMin: proto.minNodes,
  nodesMax: proto.maxNodes,
  perNode: {
    cpus: proto.cpusPerNode,
    memoryBytes: Number(proto.memoryBytesPerNode),
    gpuMilli: proto.gpuMilliPerNode,
  },
  isExclusive: proto.exclusive,
  gpuType: proto.gpuType,
  features: [...proto.features],
  featureCounts: { ...proto.featureCounts },
  topology: proto.topologyHint as TopologyHint,
  ...nodeKindsFromProto(proto),
  tasksPerNode: proto.tasksPerNode,
  cpusPerTask: proto.cpusPerTask,
});

type NodeKinds = Pick<ResourceRequest, "needsConformance" | "needsUnifiedMemory" | "allowsCxlMemory" | "storageMbps">;

const nodeKindsFromProto = (proto: ProtoResources): NodeKinds => ({
  ...flag("needsConformance", proto.sameConformance),
  ...flag("needsUnifiedMemory", proto.unifiedMemory),
  ...flag("allowsCxlMemory", proto.cxlMemory),
  ...count("storageMbps", proto.storageBandwidthMbps),
});

const nodeKindsToProto = ({ needsConformance, needsUnifiedMemory, allowsCxlMemory, storageMbps }: NodeKinds) => ({
  sameConformance: needsConformance ?? false,
  unifiedMemory: needsUnifiedMemory ?? false,
  cxlMemory: allowsCxlMemory ?? false,
  storageBandwidthMbps: storageMbps ?? 0,
});

/** Writes what is started. */
export function programToProto(program: Program): { entrypoint?: string; script?: string; argv?: string[] } {
  switch (program.kind) {
    case "entrypoint":
      return { entrypoint: program.command };
    case "script":
      return { script: program.text };
    case "argv":
      return { argv: [...program.argv] };
  }
}

/** Reads what is started. */
export function programFromProto(proto: Pick<ProtoSpec, "entrypoint" | "script" | "argv">): Program {
  if (proto.script !== "") return { kind: "script", text: proto.script };
  if (proto.argv.length > 0) return { kind: "argv", argv: proto.argv };
  return { kind: "entrypoint", command: proto.entrypoint };
}

const text = <K extends string>(key: K, value: string) =>
  (value === "" ? {} : { [key]: value }) as Partial<Record<K, string>>;
const count = <K extends string>(key: K, value: number) =>
  (value === 0 ? {} : { [key]: value }) as Partial<Record<K, number>>;
const flag = <K extends string>(key: K, value: boolean) =>
  (value ? { [key]: true } : {}) as Partial<Record<K, boolean>>;
const list = <K extends string, T>(key: K, value: readonly T[]) =>
  (value.length === 0 ? {} : { [key]: value }) as Partial<Record<K, readonly T[]>>;
const entries = <K extends string, T>(key: K, value: Readonly<Record<string, T>>) =>
  (Object.keys(value).length === 0 ? {} : { [key]: { ...value } }) as Partial<Record<K, Record<string, T>>>;
