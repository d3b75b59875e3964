/**
 * Every option of sbatch, by name. An option is either obeyed (it has a setter) or
 * known and not obeyed (it has a sentence that says what happens without it).
 */
import { ok } from "../../base/result.ts";
import type { TopologyHint } from "../domain/resources.ts";
import { parseConstraint, parseCount, parseGpus, parseMemory, parseNodes } from "./amounts.ts";
import { parseArraySpec } from "./array-spec.ts";
import { parseDependency } from "./dependency.ts";
import type { Draft, Setter } from "./draft.ts";
import { addDependency, keeping, setBegin, setDeadline, setGpusPerNode, setting } from "./draft.ts";
import { parseDuration } from "./duration.ts";

/** Whether an option has a value: always, only after `=`, never. */
export type Arity = "value" | "optional" | "none";

/** One option of sbatch. */
export interface SbatchOption {
  readonly arity: Arity;
  readonly short?: string;
  readonly apply: Setter;
}

/** Which preemption class a quality of service stands for. */
export const QOS_CLASSES: Readonly<Record<string, number>> = {
  debug: 1,
  interactive: 1,
  normal: 5,
  default: 5,
  high: 8,
  premium: 8,
  urgent: 10,
  critical: 10,
};

/** Where output goes unless the script says otherwise is for the server to say. */
const obeyed = (apply: Setter, short?: string, arity: Arity = "value"): SbatchOption =>
  short === undefined ? { arity, apply } : { arity, short, apply };

/** `why` completes the sentence "--name: …". */
const ignored = (why: string, arity: Arity = "value", short?: string): SbatchOption =>
  obeyed(
    (draft) => {
      draft.warnings.push(why);
      return undefined;
    },
    short,
    arity,
  );

const quiet = (arity: Arity, short?: string): SbatchOption => obeyed(() => undefined, short, arity);

const OBEYED: Readonly<Record<string, SbatchOption>> = {
  account: obeyed(
    keeping((d, v) => {
      d.request.tenant = v;
    }),
    "A",
  ),
  array: obeyed(
    setting(parseArraySpec, (d, v) => {
      d.array = v;
    }),
    "a",
  ),
  chdir: obeyed(
    keeping((d, v) => {
      d.request.workdir = v;
    }),
    "D",
  ),
  comment: obeyed(
    keeping((d, v) => {
      d.request.tags = { ...d.request.tags, comment: v };
    }),
  ),
  constraint: obeyed(
    setting(parseConstraint, (d, v) => {
      d.request.features = v.features;
      d.request.featureCounts = v.counts;
    }),
    "C",
  ),
  contiguous: obeyed(topologyOf("tight"), undefined, "none"),
  "cpus-per-gpu": obeyed(
    setting(parseCount, (d, v) => {
      d.cpusPerGpu = v;
    }),
  ),
  "cpus-per-task": obeyed(
    setting(parseCount, (d, v) => {
      d.request.cpusPerTask = v;
    }),
    "c",
  ),
  dependency: obeyed(applyDependency, "d"),
  error: obeyed(
    keeping((d, v) => {
      d.request.stderrPath = v;
    }),
    "e",
  ),
  begin: obeyed(setBegin, "b"),
  deadline: obeyed(setDeadline),
  exclusive: obeyed(
    (d) => {
      d.request.isExclusive = true;
      return undefined;
    },
    undefined,
    "optional",
  ),
  export: obeyed(applyExport),
  gpus: obeyed(
    setting(parseGpus, (d, v) => {
      d.gpusTotal = v.count;
      if (v.type !== "") d.request.gpuType = v.type;
    }),
    "G",
  ),
  "gpus-per-node": obeyed(setting(parseGpus, setGpusPerNode)),
  "gpus-per-task": obeyed(
    setting(parseGpus, (d, v) => {
      d.gpusPerTask = v.count;
      if (v.type !== "") d.request.gpuType = v.type;
    }),
  ),
  gres: obeyed(applyGres),
  "job-name": obeyed(
    keeping((d, v) => {
      d.request.name = v;
    }),
    "J",
  ),
  mem: obeyed(
    setting(parseMemory, (d, v) => {
      d.request.perNode = { ...d.request.perNode, memoryBytes: v };
    }),
  ),
  "mem-per-cpu": obeyed(
    setting(parseMemory, (d, v) => {
      d.request.memoryBytesPerCpu = v;
    }),
  ),
  "mem-per-gpu": obeyed(
    setting(parseMemory, (d, v) => {
      d.memoryBytesPerGpu = v;
    }),
  ),
  "no-requeue": obeyed(
    (d) => {
      d.request.requeuePolicy = "never";
      return undefined;
    },
    undefined,
    "none",
  ),
  nodes: obeyed(
    setting(parseNodes, (d, v) => {
      d.request.nodesMin = v.min;
      d.request.nodesMax = v.max;
    }),
    "N",
  ),
  ntasks: obeyed(
    setting(parseCount, (d, v) => {
      d.request.tasks = v;
    }),
    "n",
  ),
  "ntasks-per-node": obeyed(
    setting(parseCount, (d, v) => {
      d.request.tasksPerNode = v;
    }),
  ),
  output: obeyed(
    keeping((d, v) => {
      d.request.stdoutPath = v;
    }),
    "o",
  ),
  partition: obeyed(applyPartition, "p"),
  qos: obeyed(applyQos, "q"),
  requeue: obeyed(
    (d) => {
      d.request.requeuePolicy = "on_node_failure";
      return undefined;
    },
    undefined,
    "none",
  ),
  "spread-job": obeyed(topologyOf("spread"), undefined, "none"),
  switches: obeyed(applySwitches),
  time: obeyed(
    setting(parseDuration, (d, v) => {
      d.request.walltimeMs = v;
    }),
    "t",
  ),
};

/** Options that change how sbatch itself talks, which has no meaning here. */
const QUIET: Readonly<Record<string, SbatchOption>> = {
  help: quiet("none", "h"),
  "ignore-pbs": quiet("none"),
  parsable: quiet("none"),
  quiet: quiet("none", "Q"),
  usage: quiet("none"),
  verbose: quiet("none", "v"),
  version: quiet("none", "V"),
};

const IGNORED: Readonly<Record<string, SbatchOption>> = {
  "acctg-freq": ignored("accounting is sampled at the cluster's own rate"),
  batch: ignored("the script runs on the first node, whatever its features"),
  bb: ignored("there are no burst buffers"),
  bbf: ignored("there are no burst buffers"),
  "cluster-constraint": ignored("there is one cluster"),
  clusters: ignored("there is one cluster", "value", "M"),
  container: ignored("the work runs without this container"),
  "container-id": ignored("the work runs without this container"),
  "core-spec": ignored("no cores are set aside for the system", "value", "S"),
  "cores-per-socket": ignored("sockets and cores are not selected"),
  "cpu-freq": ignored("the processor frequency is not changed"),
  "delay-boot": ignored("nodes are not rebooted for work"),
  distribution: ignored("tasks are placed by the launcher's own default", "value", "m"),
  exclude: ignored("nodes cannot be excluded by name, use --constraint", "value", "x"),
  "export-file": ignored("variables are not read from a file, use --export=NAME=value"),
  extra: ignored("extra data is not kept"),
  "extra-node-info": ignored("sockets and cores are not selected", "value", "B"),
  "get-user-env": ignored("the environment of a log-in shell is not read", "optional"),
  gid: ignored("the work runs with the groups of its user"),
  "gpu-bind": ignored("tasks see every GPU of the allocation on their node"),
  "gpu-freq": ignored("the GPU frequency is not changed"),
  "gpus-per-socket": ignored("sockets are not selected, use --gpus-per-node"),
  "gres-flags": ignored("GPUs are not bound to sockets"),
  hint: ignored("processors are not selected by hint"),
  hold: ignored("it is not held, it starts as soon as it can", "none", "H"),
  input: ignored("standard input is /dev/null", "value", "i"),
  "kill-on-invalid-dep": ignored("an allocation whose dependency cannot be met is always cancelled"),
  licenses: ignored("licences are not counted", "value", "L"),
  "mail-type": ignored("no mail is sent"),
  "mail-user": ignored("no mail is sent"),
  "mcs-label": ignored("labels are not kept"),
  "mem-bind": ignored("memory is not bound"),
  mincpus: ignored("use --cpus-per-task"),
  network: ignored("the network is not configured by this option"),
  nice: ignored("priority is set by --qos", "optional"),
  "no-kill": ignored("when a node is lost the whole allocation ends and is requeued", "optional", "k"),
  nodefile: ignored("nodes cannot be chosen by name, use --constraint", "value", "F"),
  nodelist: ignored("nodes cannot be chosen by name, use --constraint", "value", "w"),
  "ntasks-per-core": ignored("use --ntasks-per-node"),
  "ntasks-per-gpu": ignored("use --ntasks-per-node"),
  "ntasks-per-socket": ignored("use --ntasks-per-node"),
  "oom-kill-step": ignored("the kernel's choice stands when memory runs out", "optional"),
  "open-mode": ignored("output of a new attempt is kept apart from the last one"),
  overcommit: ignored("processors are not overcommitted", "none", "O"),
  oversubscribe: ignored("whether nodes are shared is set on the vCluster", "none", "s"),
  power: ignored("power is not managed by this option"),
  prefer: ignored("soft preferences are not obeyed, use --constraint"),
  priority: ignored("priority is set by --qos"),
  profile: ignored("no profile is taken"),
  propagate: ignored("limits are set by the agent", "optional"),
  reboot: ignored("nodes are not rebooted for work", "none"),
  reservation: ignored("there are no reservations in this build"),
  "resv-ports": ignored("ports are not reserved", "optional"),
  segment: ignored("nodes are chosen by topology"),
  share: ignored("whether nodes are shared is set on the vCluster", "none"),
  signal: ignored("no signal is sent before the end, SIGTERM comes at the end and SIGKILL after the grace period"),
  "sockets-per-node": ignored("sockets and cores are not selected"),
  stepmgr: ignored("steps are not managed apart", "none"),
  "test-only": ignored("it is submitted all the same", "none"),
  "thread-spec": ignored("no threads are set aside for the system"),
  "threads-per-core": ignored("threads are not selected"),
  "time-min": ignored("the time limit is not shortened to start earlier"),
  tmp: ignored("temporary disk space is not counted"),
  "tres-bind": ignored("resources are not bound to tasks"),
  "tres-per-task": ignored("use --cpus-per-task and --gpus-per-task"),
  uid: ignored("the work runs as the user who submits it"),
  "use-min-nodes": ignored("as many nodes as fit in the range are used", "none"),
  wait: ignored("use lattice submit --wait", "none", "W"),
  "wait-all-nodes": ignored("it always starts when every node is ready"),
  wckey: ignored("workload keys are not kept"),
  wrap: ignored("the script is what runs"),
};

/** Every option of sbatch by its long name. */
export const SBATCH_OPTIONS: ReadonlyMap<string, SbatchOption> = new Map(
  Object.entries({ ...OBEYED, ...QUIET, ...IGNORED }),
);

/** The long name of each one-letter option. */
export const SBATCH_LETTERS: ReadonlyMap<string, string> = new Map(
  [...SBATCH_OPTIONS].flatMap(([name, { short }]) => (short === undefined ? [] : [[short, name] as const])),
);

function applyDependency(draft: Draft, text: string): string | undefined {
  const parsed = parseDependency(text);
  return parsed.ok ? addDependency(draft, text) : parsed.error.message;
}

function applyExport(draft: Draft, text: string): string | undefined {
  const env: Record<string, string> = { ...draft.request.env };
  for (const item of text.split(",")) {
    const equals = item.indexOf("=");
    if (equals > 0) env[item.slice(0, equals)] = item.slice(equals + 1);
    else if (item === "ALL") draft.warnings.push("the environment of the submitter is not sent, name what is needed");
    else if (item !== "NONE" && item !== "NIL") {
      draft.warnings.push(`the value of ${item} is not known here, write ${item}=value`);
    }
  }
  draft.request.env = env;
  return undefined;
}

function applyGres(draft: Draft, text: string): string | undefined {
  for (const item of text.split(",")) {
    const [, rest] = /^(?:gres[/:])?gpu(?::(.*))?$/.exec(item) ?? [];
    if (!/^(?:gres[/:])?gpu(?::|$)/.test(item)) {
      if (item !== "none") draft.warnings.push(`${item} is not counted, only gpu is`);
      continue;
    }
    const problem = applyGresGpu(draft, rest ?? "1");
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function applyGresGpu(draft: Draft, rest: string): string | undefined {
  const isTypeOnly = /^[a-z_][\w.-]*$/i.test(rest);
  const parsed = isTypeOnly ? ok({ type: rest, count: 1 }) : parseGpus(rest);
  if (!parsed.ok) return parsed.error.message;
  setGpusPerNode(draft, parsed.value);
  return undefined;
}

function topologyOf(hint: TopologyHint): Setter {
  return (draft) => {
    draft.request.topology = hint;
    return undefined;
  };
}

/** `COUNT[@TIME]`: nodes near to each other; it waits for none. */
function applySwitches(draft: Draft, text: string): string | undefined {
  if (!/^\d+(@.+)?$/.test(text)) return `"${text}" is not a number of switches`;
  draft.request.topology = "tight";
  if (text.includes("@"))
    draft.warnings.push("it is placed as tightly as it can be at once, it does not wait for that");
  return undefined;
}

function applyPartition(draft: Draft, text: string): string | undefined {
  const [first = "", ...others] = text.split(",");
  if (first === "") return "the value is empty";
  if (others.length > 0) draft.warnings.push(`only the first partition is used, ${first}`);
  draft.request.vcluster = first;
  return undefined;
}

function applyQos(draft: Draft, text: string): string | undefined {
  const preemptionClass = QOS_CLASSES[text.toLowerCase()];
  if (preemptionClass === undefined) {
    draft.warnings.push(`"${text}" stands for no priority class, known are ${Object.keys(QOS_CLASSES).join(", ")}`);
  } else draft.request.preemptionClass = preemptionClass;
  return undefined;
}
