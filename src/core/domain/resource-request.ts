/** Completes what a request asks of nodes: counts follow from tasks where they are not given. */
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { AllocationRequest } from "./allocation-request.ts";
import type { Fault } from "./errors.ts";
import { refuse } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { Amount, ResourceRequest } from "./resources.ts";
import { TOPOLOGY_HINTS } from "./resources.ts";

/** Returns the complete resource request, or the fault that names the first number that is wrong. */
export function completeResources(request: AllocationRequest): Result<ResourceRequest, Fault> {
  for (const [field, value] of Object.entries(numbersOf(request))) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
      return refuse("INVALID_SPEC", `${field} is ${value} and must be a whole number, 0 or more`);
    }
  }
  if (request.nodesMin === 0) return refuse("INVALID_SPEC", "nodes is 0 and must be at least 1");
  const nodesMin = request.nodesMin ?? nodesForTasks(request);
  const nodesMax = request.nodesMax || nodesMin;
  if (nodesMax < nodesMin) return refuse("INVALID_SPEC", `max_nodes ${nodesMax} is less than min_nodes ${nodesMin}`);
  if (nodesMax > LIMITS.nodesPerAllocationMax) return refuse("TOO_LARGE", `it asks for ${nodesMax} nodes`);
  const topology = request.topology || "any";
  const hint = TOPOLOGY_HINTS.find((h) => h === topology);
  if (!hint) {
    return refuse(
      "INVALID_SPEC",
      `topology is ${JSON.stringify(topology)}`,
      `give one of: ${TOPOLOGY_HINTS.join(", ")}`,
    );
  }
  const tasksPerNode = request.tasksPerNode ?? (request.tasks ? Math.ceil(request.tasks / nodesMin) : 1);
  // In the order of their names: see `assemble` in complete-spec.ts.
  return ok({
    ...(request.allowsCxlMemory && { allowsCxlMemory: true }),
    cpusPerTask: Math.max(1, request.cpusPerTask ?? 1),
    featureCounts: request.featureCounts ?? {},
    features: request.features ?? [],
    gpuType: request.gpuType ?? "",
    isExclusive: request.isExclusive ?? false,
    ...(request.needsConformance && { needsConformance: true }),
    ...(request.needsUnifiedMemory && { needsUnifiedMemory: true }),
    nodesMax,
    nodesMin,
    perNode: amountPerNode(request, tasksPerNode),
    ...(request.storageMbps && { storageMbps: request.storageMbps }),
    tasksPerNode: Math.max(1, tasksPerNode),
    topology: hint,
  });
}

const numbersOf = (request: AllocationRequest): Readonly<Record<string, number | undefined>> => ({
  min_nodes: request.nodesMin,
  max_nodes: request.nodesMax,
  cpus_per_node: request.perNode?.cpus,
  memory_bytes_per_node: request.perNode?.memoryBytes,
  gpu_milli_per_node: request.perNode?.gpuMilli,
  ntasks: request.tasks,
  tasks_per_node: request.tasksPerNode,
  cpus_per_task: request.cpusPerTask,
  memory_bytes_per_cpu: request.memoryBytesPerCpu,
  storage_bandwidth_mbps: request.storageMbps,
  ...request.featureCounts,
});

function nodesForTasks({ tasks, tasksPerNode }: AllocationRequest): number {
  return tasks && tasksPerNode ? Math.max(1, Math.ceil(tasks / tasksPerNode)) : 1;
}

/** Tasks need processors only when the request says something about either. */
function amountPerNode(request: AllocationRequest, tasksPerNode: number): Amount {
  const saysTasks = request.tasks ?? request.tasksPerNode ?? request.cpusPerTask;
  const forTasks = saysTasks === undefined ? 0 : Math.max(1, tasksPerNode) * Math.max(1, request.cpusPerTask ?? 1);
  const cpus = request.perNode?.cpus || forTasks;
  const forCpus = (request.memoryBytesPerCpu ?? 0) * Math.max(1, cpus);
  return {
    cpus,
    gpuMilli: request.perNode?.gpuMilli ?? 0,
    memoryBytes: request.perNode?.memoryBytes || forCpus,
  };
}
