/** `lattice submit`: a script, a command line or an argument vector becomes an allocation or an array. */
import type { AllocationStatus, SubmitResponse } from "../../client/messages.ts";
import { LatticeError } from "../../core/domain/errors.ts";
import { submissionToProto } from "../../wire/submission.ts";
import type { Context } from "../context.ts";
import { EXIT, exitCodeOfWork } from "../exit-codes.ts";
import { waitUntil } from "../follow.ts";
import type { Command } from "../grammar/command.ts";
import type { Flag, ValueFlag } from "../grammar/flag.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { followOutput } from "../output.ts";
import { endText, hasEnded } from "../render/allocation-text.ts";
import { isData, printOne } from "../render/print.ts";
import { submissionFrom } from "../submission.ts";

const text = (
  valueHint: string,
  description: string,
  more: Pick<ValueFlag, "alias" | "synonym" | "isRepeated" | "completes" | "choices"> = {},
): ValueFlag => ({
  type: "string",
  valueHint,
  description,
  ...more,
});

const FLAGS: Readonly<Record<string, Flag>> = {
  wrap: text("COMMAND", "Run this shell command line instead of a script"),
  name: text("NAME", "Name shown to people", { alias: "J" }),
  nodes: text("N|MIN-MAX", "Nodes, 1 unless set", { alias: "N" }),
  cpus: text("N", "Processors on each node", { alias: "c" }),
  memory: text("SIZE", "Memory on each node, as 512M or 4G"),
  gpus: text("[TYPE:]N", "GPUs on each node", { alias: "G" }),
  "gpu-type": text("TYPE", "Type of the GPUs"),
  constraint: text("FEATURES", "Features of the nodes, joined by &", { alias: "C" }),
  topology: text("HINT", "Closeness of the nodes", { choices: ["tight", "spread", "any"] }),
  "same-conformance": { type: "boolean", description: "All nodes of one make; preferred also without" },
  "unified-memory": { type: "boolean", description: "Nodes whose processors and GPUs share one memory" },
  "cxl-memory": { type: "boolean", description: "Memory that is attached by CXL will do" },
  "storage-bandwidth": text("MB/S", "Storage bandwidth that all its nodes together draw"),
  exclusive: { type: "boolean", description: "Whole nodes, also where the vCluster shares them" },
  "tasks-per-node": text("N", "Told to the work in its environment"),
  "cpus-per-task": text("N", "Told to the work in its environment"),
  time: text("TIME", "Limit: minutes, H:M:S, D-H:M:S or 2h30m; 1 hour unless set", { alias: "T", synonym: "walltime" }),
  begin: text("TIME", "Do not start before, as 2026-12-24T08:00, 20:00 or now+2h", { alias: "b" }),
  deadline: text("TIME", "Cancel it when it cannot have ended by then any more"),
  priority: text("0-10", "Class: 10 is placed first and never displaced, 5 unless set", { alias: "p" }),
  array: text("INDICES", "An array, as 0-15, 1,3,5-7:2 or 0-99%20", { alias: "a", synonym: "task-group" }),
  "depends-on": text("CONDITION:ID", "Start after others, as afterok:12 or singleton", {
    alias: "d",
    isRepeated: true,
  }),
  env: text("NAME=VALUE", "A variable of the environment", { alias: "e", isRepeated: true }),
  chdir: text("DIR", "Working directory, this one unless set", { alias: "D", completes: "directory" }),
  stdout: text("PATH", "Also write standard output here; %j %x %A %a %N %u", { completes: "file" }),
  stderr: text("PATH", "The same for standard error", { completes: "file" }),
  project: text("NAME", "Project that the work belongs to"),
  tag: text("NAME=VALUE", "A tag to find it by", { isRepeated: true }),
  lifecycle: text("KIND", "bounded, unbounded for a service, reactive for one that grows and shrinks"),
  metric: text("METRIC", "What a reactive service is measured by, on every minute"),
  target: text("NUMBER", "Above it the service gets a node more, below half of it one less"),
  checkpoint: text("STRATEGY", "How it saves its state when it makes room", { choices: ["auto", "manual", "none"] }),
  requeue: text("POLICY", "When it starts again", {
    choices: ["never", "on_node_failure", "on-node-failure", "always"],
  }),
  "max-requeue": text("N", "Requeues at most"),
  isolation: text("MODE", "When a node is cut off, rerun elsewhere at once or stop first", {
    choices: ["rerun", "stop"],
  }),
  "grace-period": text("TIME", "Between SIGTERM and SIGKILL, seconds"),
  "run-on": text("NODES", "Nodes that start the command", { choices: ["first", "every"] }),
  sensitive: { type: "boolean", description: "Whole nodes of its own, and audited" },
  follow: { type: "boolean", alias: "f", description: "Show the output; end with the exit code of the work" },
  wait: { type: "boolean", alias: "W", description: "Wait for the end; end with the exit code of the work" },
};

/** `lattice submit`. */
export const submit: Command = {
  kind: "command",
  name: "submit",
  summary: "Submit a batch script or a command",
  details: [
    "The #SBATCH and #LATTICE directives of a script are obeyed; what cannot be obeyed is warned about by name. Flags win over directives.",
  ],
  positionals: [
    {
      name: "script",
      description: "A batch script; - reads it from standard input",
      completes: "file",
    },
  ],
  argvName: "COMMAND",
  flags: FLAGS,
  examples: [
    ["lattice submit job.sh", "what sbatch job.sh does"],
    ["lattice submit -N 2 -T 10 -f -- mpirun ./solve input.dat", "two nodes for ten minutes; shows the output"],
    ["lattice submit --array 0-99%20 sweep.sh", "100 tasks, 20 at a time"],
    ["lattice submit --depends-on afterok:12 next.sh", "starts when 12 has succeeded"],
  ],
  run: async (given, context) => {
    if (given.has("follow") && isData(context))
      throw new UsageError("--follow shows output as it is, not as JSON or YAML");
    const request = submissionToProto(await submissionFrom(given, context));
    const response = await context.client().allocations.submit(request, { signal: context.signal });
    for (const warning of response.warnings) context.terminal.err(`warning: ${warning}\n`);
    await printSubmitted(context, response);
    const id = idsOf(response)[0] ?? "";
    if (!given.has("follow") && !given.has("wait")) return EXIT.ok;
    return response.taskGroupId === "" && given.has("follow") ? followed(context, id) : waited(context, id);
  },
};

/** Tells what a submission gave: one line for each allocation, array or workflow. */
export async function printSubmitted(context: Context, response: SubmitResponse): Promise<void> {
  const [first = ""] = idsOf(response);
  if (isData(context) && !context.settings.isQuiet) {
    await printOne(context, response, { id: first, text: () => "" });
    return;
  }
  const noun = response.taskGroupId === "" ? "allocation" : "array";
  const shown = response.taskGroupId === "" ? idsOf(response) : [first];
  for (const id of shown) context.terminal.out(context.settings.isQuiet ? `${id}\n` : `Submitted ${noun}: ${id}\n`);
}

const idsOf = ({ allocationIds, shortIds }: SubmitResponse): readonly string[] =>
  allocationIds.map((id, i) => (shortIds[i] === undefined || shortIds[i] === 0n ? id : String(shortIds[i])));

async function followed(context: Context, id: string): Promise<number> {
  const stopped = () => context.terminal.err(`allocation ${id} goes on; end it with: lattice cancel ${id}\n`);
  context.signal.addEventListener("abort", stopped, { once: true });
  try {
    await followOutput(context, { id, stream: 0, node: "", isFollowing: true, tailLines: 0, attempt: 0 });
    return await waited(context, id);
  } catch (error) {
    // Work that could not be started has no output; how it ended is told all the same.
    if (!(error instanceof LatticeError) || error.fault.reason !== "LOGS_NOT_AVAILABLE") throw error;
    return await waited(context, id);
  } finally {
    context.signal.removeEventListener("abort", stopped);
  }
}

async function waited(context: Context, id: string): Promise<number> {
  const status = await waitUntil(context, id, ({ state }) => hasEnded(state));
  const code = codeOf(status);
  if (code !== EXIT.ok) context.terminal.err(`allocation ${id} ${status.state}${ended(status)}\n`);
  return code;
}

const ended = (status: AllocationStatus): string => {
  const why = endText(status);
  return why === "" ? "" : `: ${why}`;
};

/** An array succeeds when every task does. */
const codeOf = (status: AllocationStatus): number =>
  status.taskGroup === undefined
    ? exitCodeOfWork(status.state, status.exitCode, status.signal)
    : status.state === "completed"
      ? EXIT.ok
      : 1;
