/** The bodies that submit work, and how they become a Submission. */
import { type Static, t } from "elysia";
import type { AllocationRequest, Submission } from "../../core/domain/allocation-request.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { Amount } from "../../core/domain/resources.ts";
import type { TaskRange } from "../../core/domain/task-group.ts";
import { parseArraySpec } from "../../core/slurm/array-spec.ts";
import { integer, jsonBody } from "./json-body.ts";

const Dependency = t.Union([
  t.String({ description: "an id; the same as condition success" }),
  t.Object({
    ref_id: t.String({ description: "id of an allocation or task group, or name of a member of the same workflow" }),
    condition: t.Optional(t.String({ description: "success, failure, any, corresponding or mutex" })),
  }),
]);

const Ranges = t.Union([
  t.String({ description: 'index list such as "0-99%20"' }),
  t.Array(t.Object({ start: integer(), end: integer(), step: t.Optional(integer()) })),
]);

const TaskArray = t.Union([
  t.String({ description: 'index list such as "0-99%20"' }),
  t.Object({ ranges: Ranges, max_concurrent: t.Optional(integer()) }),
]);

/** What describes the work itself: common to single submissions and members of workflows. */
const WORK = {
  entrypoint: t.Optional(t.String({ description: "a shell command line; or script, or argv" })),
  script: t.Optional(t.String({ description: "a whole script with its own shebang and directives" })),
  argv: t.Optional(t.Array(t.String(), { description: "an argument vector, not re-split" })),
  name: t.Optional(t.String()),
  project: t.Optional(t.String()),
  vcluster: t.Optional(t.String()),
  nodes: t.Optional(integer("how many nodes, 1 when absent")),
  min_nodes: t.Optional(integer()),
  max_nodes: t.Optional(integer()),
  cpus_per_node: t.Optional(integer()),
  memory_bytes_per_node: t.Optional(integer()),
  gpus_per_node: t.Optional(t.Number()),
  gpu_type: t.Optional(t.String()),
  features: t.Optional(t.Array(t.String())),
  topology: t.Optional(t.String({ description: "tight, spread or any" })),
  same_conformance: t.Optional(t.Boolean({ description: "all nodes of one make; preferred also without" })),
  unified_memory: t.Optional(t.Boolean({ description: "processors and GPUs share one memory" })),
  cxl_memory: t.Optional(t.Boolean({ description: "memory that is attached by CXL will do" })),
  storage_bandwidth_mbps: t.Optional(integer("what all its nodes together draw of the storage, in MB/s")),
  exclusive: t.Optional(t.Boolean()),
  tasks: t.Optional(integer()),
  tasks_per_node: t.Optional(integer()),
  cpus_per_task: t.Optional(integer()),
  walltime_hours: t.Optional(t.Number()),
  walltime_seconds: t.Optional(t.Number({ description: "wins over walltime_hours" })),
  begin: t.Optional(t.String({ description: "it does not start before: RFC 3339, or as sbatch takes --begin" })),
  deadline: t.Optional(t.String({ description: "it is cancelled when it cannot have ended by then any more" })),
  lifecycle: t.Optional(t.String({ description: "bounded, unbounded or reactive" })),
  reactive_min_nodes: t.Optional(integer("fewest nodes of a reactive service")),
  reactive_max_nodes: t.Optional(integer("most nodes of a reactive service")),
  reactive_metric: t.Optional(t.String({ description: "what a reactive service is measured by" })),
  reactive_target: t.Optional(t.String({ description: "the number above which it gets a node more" })),
  checkpoint: t.Optional(t.String({ description: "how it saves its state: auto, manual or none" })),
  priority: t.Optional(integer("preemption class, 0 to 10")),
  preemption_class: t.Optional(integer("the same as priority")),
  requeue_policy: t.Optional(t.String({ description: "never, on_node_failure or always" })),
  max_requeue: t.Optional(integer()),
  isolation: t.Optional(t.String({ description: "rerun or stop" })),
  grace_period_seconds: t.Optional(t.Number()),
  run_on: t.Optional(t.String({ description: "first or every" })),
  env: t.Optional(t.Record(t.String(), t.String())),
  workdir: t.Optional(t.String()),
  stdout_path: t.Optional(t.String()),
  stderr_path: t.Optional(t.String()),
  image: t.Optional(t.String({ description: "OCI image; kept, not active in this build" })),
  sensitive: t.Optional(t.Boolean()),
  labels: t.Optional(t.Record(t.String(), t.String())),
  depends_on: t.Optional(t.Array(Dependency)),
};

const WorkSchema = t.Object(WORK);
type Work = Static<typeof WorkSchema>;

const SubmitSchema = t.Object({
  tenant: t.String(),
  ...WORK,
  array: t.Optional(TaskArray),
  task_group: t.Optional(TaskArray),
});

/** The body of POST /allocations. */
export const SUBMIT_BODY = jsonBody(SubmitSchema);

/** The body of POST /dags. */
export const DAG_BODY = jsonBody(
  t.Object({
    dag_id: t.Optional(t.String({ description: "chosen by the server when absent" })),
    tenant: t.Optional(t.String({ description: "for members that name none" })),
    allocations: t.Array(t.Object({ ...WORK, name: t.String(), tenant: t.Optional(t.String()) })),
    edges: t.Optional(
      t.Array(
        t.Object({
          from: t.String(),
          to: t.String({ description: "the member that waits" }),
          condition: t.Optional(t.String()),
        }),
      ),
    ),
  }),
);

type SubmitBody = Static<typeof SubmitSchema>;
type DagBody = Awaited<ReturnType<typeof DAG_BODY.read>>;

/** Returns the submission of one allocation or array, with what of the body was not understood. */
export function submissionOf(body: SubmitBody): {
  readonly submission: Submission;
  readonly warnings: readonly string[];
} {
  requireProgram(body, "");
  const request = requestOf(body, body.tenant);
  const array = body.array ?? body.task_group;
  const submission: Submission =
    array === undefined ? { kind: "single", request } : { kind: "task-group", template: request, ...arrayOf(array) };
  return { submission, warnings: unknownFields(body) };
}

/** Returns the submission of a workflow. An edge makes `to` wait for `from`. */
export function dagSubmissionOf(body: DagBody): Submission {
  const requests = body.allocations.map((member) => {
    const tenant = member.tenant ?? body.tenant;
    if (tenant === undefined)
      throw missing(`the field tenant is missing, for member ${member.name} and for the workflow`);
    requireProgram(member, ` of member ${member.name}`);
    const edges = (body.edges ?? []).filter((edge) => edge.to === member.name);
    const waits = edges.map((edge) => ({ ref_id: edge.from, condition: edge.condition ?? "success" }));
    return requestOf({ ...member, depends_on: [...(member.depends_on ?? []), ...waits] }, tenant);
  });
  const names = new Set(body.allocations.map((member) => member.name));
  const stray = body.edges?.find((edge) => !names.has(edge.to));
  if (stray)
    throw new LatticeError(fault("INVALID_SPEC", `an edge leads to ${stray.to}, which the workflow does not have`));
  return body.dag_id === undefined ? { kind: "dag", requests } : { kind: "dag", dagId: body.dag_id, requests };
}

function requireProgram(work: Work, whose: string): void {
  if (work.entrypoint === undefined && work.script === undefined && work.argv === undefined) {
    throw missing(`the field entrypoint${whose} is missing, and neither script nor argv is there`);
  }
}

const missing = (message: string) => new LatticeError(fault("INVALID_BODY", message));

/** Copies what is there. Absent fields stay absent, so that directives of the script may fill them. */
function requestOf(work: Work, tenant: string): AllocationRequest {
  const request: Mutable<AllocationRequest> = { tenant };
  if (work.entrypoint !== undefined) request.entrypoint = work.entrypoint;
  if (work.script !== undefined) request.script = work.script;
  if (work.argv !== undefined) request.argv = work.argv;
  if (work.name !== undefined) request.name = work.name;
  if (work.project !== undefined) request.project = work.project;
  if (work.vcluster !== undefined) request.vcluster = work.vcluster;
  if (work.env !== undefined) request.env = work.env;
  if (work.workdir !== undefined) request.workdir = work.workdir;
  if (work.stdout_path !== undefined) request.stdoutPath = work.stdout_path;
  if (work.stderr_path !== undefined) request.stderrPath = work.stderr_path;
  if (work.run_on !== undefined) request.runOn = work.run_on;
  if (work.labels !== undefined) request.tags = work.labels;
  if (work.lifecycle !== undefined) request.lifecycle = work.lifecycle;
  if (work.requeue_policy !== undefined) request.requeuePolicy = work.requeue_policy;
  if (work.max_requeue !== undefined) request.requeueMax = work.max_requeue;
  if (work.isolation !== undefined) request.isolation = work.isolation;
  if (work.sensitive !== undefined) request.isSensitive = work.sensitive;
  if (work.grace_period_seconds !== undefined) request.gracePeriodMs = Math.round(work.grace_period_seconds * 1000);
  const priority = work.priority ?? work.preemption_class;
  if (priority !== undefined) request.preemptionClass = priority;
  const walltimeMs = walltimeOf(work);
  if (walltimeMs !== undefined) request.walltimeMs = walltimeMs;
  if (work.begin !== undefined) request.begin = work.begin;
  if (work.deadline !== undefined) request.deadline = work.deadline;
  if (work.image !== undefined) request.extra = { environment: { images: [{ spec: work.image, imageType: "oci" }] } };
  if (work.checkpoint !== undefined) {
    request.extra = { ...request.extra, checkpoint: { strategy: work.checkpoint } };
  }
  copyReactive(work, request);
  if (work.depends_on !== undefined) request.dependsOn = work.depends_on.map(dependencyOf);
  copyResources(work, request);
  return request;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function copyReactive(work: Work, request: Mutable<AllocationRequest>): void {
  const reactive: Mutable<NonNullable<AllocationRequest["reactive"]>> = {};
  if (work.reactive_min_nodes !== undefined) reactive.nodesMin = work.reactive_min_nodes;
  if (work.reactive_max_nodes !== undefined) reactive.nodesMax = work.reactive_max_nodes;
  if (work.reactive_metric !== undefined) reactive.metric = work.reactive_metric;
  if (work.reactive_target !== undefined) reactive.target = work.reactive_target;
  if (Object.keys(reactive).length > 0) request.reactive = reactive;
}

function copyResources(work: Work, request: Mutable<AllocationRequest>): void {
  const nodesMin = work.min_nodes ?? work.nodes;
  if (nodesMin !== undefined) request.nodesMin = nodesMin;
  const nodesMax = work.max_nodes ?? work.nodes;
  if (nodesMax !== undefined) request.nodesMax = nodesMax;
  const perNode: Mutable<Partial<Amount>> = {};
  if (work.cpus_per_node !== undefined) perNode.cpus = work.cpus_per_node;
  if (work.memory_bytes_per_node !== undefined) perNode.memoryBytes = work.memory_bytes_per_node;
  if (work.gpus_per_node !== undefined) perNode.gpuMilli = Math.round(work.gpus_per_node * 1000);
  if (Object.keys(perNode).length > 0) request.perNode = perNode;
  if (work.gpu_type !== undefined) request.gpuType = work.gpu_type;
  if (work.features !== undefined) request.features = work.features;
  if (work.exclusive !== undefined) request.isExclusive = work.exclusive;
  if (work.topology !== undefined) request.topology = work.topology;
  if (work.same_conformance !== undefined) request.needsConformance = work.same_conformance;
  if (work.unified_memory !== undefined) request.needsUnifiedMemory = work.unified_memory;
  if (work.cxl_memory !== undefined) request.allowsCxlMemory = work.cxl_memory;
  if (work.storage_bandwidth_mbps !== undefined) request.storageMbps = work.storage_bandwidth_mbps;
  if (work.tasks !== undefined) request.tasks = work.tasks;
  if (work.tasks_per_node !== undefined) request.tasksPerNode = work.tasks_per_node;
  if (work.cpus_per_task !== undefined) request.cpusPerTask = work.cpus_per_task;
}

/** Returns the walltime in milliseconds, undefined when the body names none. */
export function walltimeOf(body: { walltime_hours?: number; walltime_seconds?: number }): number | undefined {
  if (body.walltime_seconds !== undefined) return Math.round(body.walltime_seconds * 1000);
  return body.walltime_hours === undefined ? undefined : Math.round(body.walltime_hours * 3_600_000);
}

const dependencyOf = (dependency: Static<typeof Dependency>) =>
  typeof dependency === "string"
    ? { ref: dependency, condition: "success" }
    : { ref: dependency.ref_id, condition: dependency.condition ?? "success" };

function arrayOf(array: Static<typeof TaskArray>): {
  readonly ranges: readonly TaskRange[];
  readonly concurrentMax: number;
} {
  const { ranges, max_concurrent: limit } = typeof array === "string" ? { ranges: array } : array;
  if (typeof ranges !== "string") {
    return { ranges: ranges.map((range) => ({ step: 1, ...range })), concurrentMax: limit ?? 0 };
  }
  const parsed = parseArraySpec(ranges);
  if (!parsed.ok) throw new LatticeError(parsed.error);
  return limit === undefined ? parsed.value : { ...parsed.value, concurrentMax: limit };
}

function unknownFields(body: SubmitBody): readonly string[] {
  const unknown = Object.keys(body).filter((field) => !Object.hasOwn(SubmitSchema.properties, field));
  return unknown.map((field) => `the field ${field} is not known and was ignored`);
}
