/**
 * Lattice's own submit options, by name: what `#LATTICE` lines say and what the flags
 * of `lattice submit` mean, from one table.
 */
import type { LifecycleKind } from "../domain/allocation.ts";
import { LIMITS } from "../domain/limits.ts";
import { parseConstraint, parseCount, parseGpus, parseMemory, parseNodes } from "./amounts.ts";
import { parseArraySpec } from "./array-spec.ts";
import { parseDependency } from "./dependency.ts";
import type { Draft, Setter } from "./draft.ts";
import { addDependency, choosing, keeping, setBegin, setDeadline, setGpusPerNode, setting } from "./draft.ts";
import { parseDuration } from "./duration.ts";

const LIFECYCLES: readonly LifecycleKind[] = ["bounded", "unbounded", "reactive"];

/** Options that are on or off; `name`, `name=true` and `name=false` are understood. */
export const LATTICE_SWITCHES: ReadonlySet<string> = new Set([
  "sensitive",
  "exclusive",
  "same-conformance",
  "unified-memory",
  "cxl-memory",
]);

const switching =
  (apply: (draft: Draft, isOn: boolean) => void): Setter =>
  (draft, text) => {
    if (text !== "" && text !== "true" && text !== "false") return `"${text}" is neither true nor false`;
    apply(draft, text !== "false");
    return undefined;
  };

const SETTERS: Readonly<Record<string, Setter>> = {
  array: setting(parseArraySpec, (d, v) => {
    d.array = v;
  }),
  begin: setBegin,
  deadline: setDeadline,
  chdir: keeping((d, v) => {
    d.request.workdir = v;
  }),
  checkpoint: choosing(["auto", "manual", "none"], (d, v) => {
    d.request.extra = { ...d.request.extra, checkpoint: { strategy: v } };
  }),
  constraint: setting(parseConstraint, (d, v) => {
    d.request.features = v.features;
    d.request.featureCounts = v.counts;
  }),
  cpus: setting(parseCount, (d, v) => {
    d.request.perNode = { ...d.request.perNode, cpus: v };
  }),
  "cpus-per-task": setting(parseCount, (d, v) => {
    d.request.cpusPerTask = v;
  }),
  "cxl-memory": switching((d, isOn) => {
    d.request.allowsCxlMemory = isOn;
  }),
  "depends-on": (draft, text) => {
    const parsed = parseDependency(text);
    return parsed.ok ? addDependency(draft, text) : parsed.error.message;
  },
  env: (draft, text) => {
    const [name, value] = pairOf(text);
    if (name === "") return `"${text}" is not NAME=value`;
    draft.request.env = { ...draft.request.env, [name]: value };
    return undefined;
  },
  exclusive: switching((d, isOn) => {
    d.request.isExclusive = isOn;
  }),
  "gpu-type": keeping((d, v) => {
    d.request.gpuType = v;
  }),
  gpus: setting(parseGpus, setGpusPerNode),
  "grace-period": setting(
    (text) => parseDuration(text, "seconds"),
    (d, v) => {
      d.request.gracePeriodMs = v;
    },
  ),
  isolation: choosing(["rerun", "stop"], (d, v) => {
    d.request.isolation = v;
  }),
  lifecycle: choosing(LIFECYCLES, (d, v) => {
    d.request.lifecycle = v;
  }),
  "max-requeue": (draft, text) => {
    const count = parseCount(text, 0);
    if (!count.ok || count.value > LIMITS.requeueMax) return `"${text}" is not a number from 0 to ${LIMITS.requeueMax}`;
    draft.request.requeueMax = count.value;
    return undefined;
  },
  memory: setting(parseMemory, (d, v) => {
    d.request.perNode = { ...d.request.perNode, memoryBytes: v };
  }),
  metric: keeping((d, v) => {
    d.request.reactive = { ...d.request.reactive, metric: v };
  }),
  name: keeping((d, v) => {
    d.request.name = v;
  }),
  nodes: setting(parseNodes, (d, v) => {
    d.request.nodesMin = v.min;
    d.request.nodesMax = v.max;
  }),
  priority: (draft, text) => {
    const priority = parseCount(text, 0);
    const max = LIMITS.preemptionClassMax;
    if (!priority.ok || priority.value > max) return `"${text}" is not a priority: write 0 to ${max}`;
    draft.request.preemptionClass = priority.value;
    return undefined;
  },
  project: keeping((d, v) => {
    d.request.project = v;
  }),
  requeue: choosing(["never", "on_node_failure", "on-node-failure", "always"], (d, v) => {
    d.request.requeuePolicy = v.replaceAll("-", "_");
  }),
  "run-on": choosing(["first", "every"], (d, v) => {
    d.request.runOn = v;
  }),
  "same-conformance": switching((d, isOn) => {
    d.request.needsConformance = isOn;
  }),
  sensitive: switching((d, isOn) => {
    d.request.isSensitive = isOn;
  }),
  stderr: keeping((d, v) => {
    d.request.stderrPath = v;
  }),
  stdout: keeping((d, v) => {
    d.request.stdoutPath = v;
  }),
  "storage-bandwidth": setting(parseCount, (d, v) => {
    d.request.storageMbps = v;
  }),
  tag: (draft, text) => {
    const [name, value] = pairOf(text);
    if (name === "") return `"${text}" is not name=value`;
    draft.request.tags = { ...draft.request.tags, [name]: value };
    return undefined;
  },
  target: keeping((d, v) => {
    d.request.reactive = { ...d.request.reactive, target: v };
  }),
  "tasks-per-node": setting(parseCount, (d, v) => {
    d.request.tasksPerNode = v;
  }),
  tenant: keeping((d, v) => {
    d.request.tenant = v;
  }),
  time: setting(parseDuration, (d, v) => {
    d.request.walltimeMs = v;
  }),
  topology: choosing(["tight", "spread", "any"], (d, v) => {
    d.request.topology = v;
  }),
  "unified-memory": switching((d, isOn) => {
    d.request.needsUnifiedMemory = isOn;
  }),
  vcluster: keeping((d, v) => {
    d.request.vcluster = v;
  }),
};

/** Lattice's submit options by name. */
export const LATTICE_OPTIONS: ReadonlyMap<string, Setter> = new Map(Object.entries(SETTERS));

/** `NAME=value`; the name is empty when there is no `=` or nothing before it. */
function pairOf(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  return equals < 0 ? ["", ""] : [text.slice(0, equals), text.slice(equals + 1)];
}
