/** The command line of `rm-replay`: what it takes, for the parser and for the help. */
import { WEIGHT_PROFILE_NAMES } from "../../core/scheduler/score/weight-profiles.ts";
import { POLICY_NAMES } from "../../replay/policies.ts";
import { ESTIMATES } from "../../replay/simulate.ts";
import type { Command } from "../grammar/command.ts";
import type { Flag } from "../grammar/flag.ts";
import { wholeNumber } from "../grammar/parse.ts";

/** The formats that `--format` names. */
export const FORMATS = ["swf", "sacct", "json", "openb", "lattice"] as const;
export type Format = (typeof FORMATS)[number];

/** Accepts policies by name, with commas between. */
function policies(value: string): string | undefined {
  const stray = value.split(",").find((name) => !POLICY_NAMES.some((known) => known === name));
  return stray === undefined ? undefined : `holds "${stray}", which is none of ${POLICY_NAMES.join(", ")}`;
}

/** Accepts two hours, the later one second. */
function window(value: string): string | undefined {
  const [, from, to] = /^(\d{1,7})-(\d{1,7})$/.exec(value) ?? [];
  return Number(from) < Number(to) ? undefined : "is not two hours as in 100-124";
}

/** The flags, in the order in which the help shows them. */
export const REPLAY_FLAGS = {
  input: {
    type: "string",
    alias: "i",
    valueHint: "FILE",
    completes: "file",
    description: "The trace; .gz is unpacked",
  },
  format: {
    type: "string",
    valueHint: "NAME",
    choices: FORMATS,
    description: "How to read it, where its name does not say",
  },
  policy: {
    type: "string",
    alias: "m",
    synonym: "mode",
    valueHint: "NAMES",
    check: policies,
    description: `Policies to compare, with commas between, of ${POLICY_NAMES.join(", ")} (default: all)`,
  },
  nodes: {
    type: "string",
    valueHint: "N",
    check: wholeNumber(1),
    description: "Nodes of the machine (default: as the trace says)",
  },
  machine: {
    type: "string",
    valueHint: "FILE",
    completes: "file",
    description: "The machine, as YAML or as the CSV of an openb trace (instead of --nodes)",
  },
  arrivals: {
    type: "string",
    valueHint: "PERCENT",
    check: wholeNumber(1),
    description:
      "Only arrivals, drawn from the trace until they ask for so much of the GPUs; what does not fit is dropped",
  },
  seed: { type: "string", valueHint: "N", check: wholeNumber(), description: "Of what is drawn (default: 1)" },
  groups: {
    type: "string",
    synonym: "max-groups",
    valueHint: "N",
    check: wholeNumber(1),
    description: "Dragonfly groups that the nodes form (default: 1)",
  },
  "cores-per-node": {
    type: "string",
    valueHint: "N",
    check: wholeNumber(1),
    description: "Processors of the trace that make a node (default: 1)",
  },
  weights: {
    type: "string",
    alias: "w",
    valueHint: "NAME|FILE",
    completes: "file",
    description: `Weights of the factors: ${WEIGHT_PROFILE_NAMES.join(", ")}, or a JSON file (default: those of a new vCluster)`,
  },
  estimate: {
    type: "string",
    valueHint: "MODEL",
    choices: ESTIMATES,
    description:
      "Walltimes that the scheduler sees: the users', the run times, twice those, or up to ten times those (default: trace)",
  },
  preemption: { type: "boolean", description: "Work of a lower class makes room for work of a higher one" },
  depth: {
    type: "string",
    valueHint: "N",
    check: wholeNumber(1),
    description: "Waiting jobs that a pass looks at (default: 1000)",
  },
  "warm-up": {
    type: "string",
    valueHint: "N",
    check: wholeNumber(),
    description: "First jobs left out of the figures (default: 0)",
  },
  output: {
    type: "string",
    alias: "o",
    valueHint: "DIR",
    completes: "directory",
    description: "Write report.html, metrics.json and a CSV of the jobs for each policy there",
  },
  window: {
    type: "string",
    valueHint: "FROM-TO",
    check: window,
    description: "Hours of which the report shows every job (default: a day around the longest queue)",
  },
  json: { type: "boolean", description: "Print the metrics as JSON" },
} as const satisfies Readonly<Record<string, Flag>>;

/** How `rm-replay` is called, as the parser of the CLI wants it. */
export const REPLAY_COMMAND: Command = {
  kind: "command",
  name: "rm-replay",
  summary: "Replays a trace of jobs through the scheduler of Lattice in simulated time.",
  flags: REPLAY_FLAGS,
  run: async () => 0,
};
