/**
 * Reads the description of a machine: `nodes`, a list of kinds with the names of the nodes
 * of each and what one of them has, and `share_nodes`. The caller has parsed the YAML.
 */
import type { Result } from "../base/result.ts";
import { ok } from "../base/result.ts";
import type { Fault } from "../core/domain/errors.ts";
import { refuse } from "../core/domain/errors.ts";
import { expandNodeList } from "../core/slurm/node-list.ts";
import type { Machine, MachineNode } from "./machine.ts";

const GIBIBYTE = 1024 * 1024 * 1024;
const NUMBERS = ["cpus", "memory_gb", "gpus", "group", "groups"] as const;
const TEXTS = ["gpu_type"] as const;
const LISTS = ["features"] as const;
const KNOWN: readonly string[] = ["names", ...NUMBERS, ...TEXTS, ...LISTS];
const NEXT =
  "write nodes as a list of: names (as n[000-127]), cpus, memory_gb, gpus, gpu_type, features, group or groups";

/** Returns the machine that `value` describes. */
export function machineFrom(value: unknown): Result<Machine, Fault> {
  const fields = fieldsOf(value);
  const kinds = fields.get("nodes");
  if (!Array.isArray(kinds) || kinds.length === 0) return refuse("INVALID_SPEC", "the file names no nodes", NEXT);
  const stray = [...fields.keys()].find((key) => key !== "nodes" && key !== "share_nodes");
  if (stray !== undefined) return refuse("INVALID_SPEC", `there is no key ${stray}`, "give nodes and share_nodes");
  const nodes: MachineNode[] = [];
  for (const [at, kind] of kinds.entries()) {
    const read = kindFrom(fieldsOf(kind));
    if (!read.ok) return refuse("INVALID_SPEC", `kind ${at + 1} of the nodes: ${read.error.message}`, NEXT);
    nodes.push(...read.value);
  }
  const names = new Set(nodes.map(({ name }) => name));
  if (names.size < nodes.length) return refuse("INVALID_SPEC", "a name of a node is there twice", NEXT);
  nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
  return ok({ nodes, sharesNodes: fields.get("share_nodes") === true });
}

/** Returns the nodes of one kind. `groups` cuts them, as they stand, into groups of equal size. */
function kindFrom(fields: ReadonlyMap<string, unknown>): Result<readonly MachineNode[], Fault> {
  const stray = [...fields.keys()].find((key) => !KNOWN.includes(key));
  if (stray !== undefined) return refuse("INVALID_SPEC", `there is no key ${stray}`);
  const bad = NUMBERS.find((key) => fields.has(key) && !isCount(fields.get(key)));
  if (bad !== undefined) return refuse("INVALID_SPEC", `${bad} is ${JSON.stringify(fields.get(bad))}`);
  const names = expandNodeList(String(fields.get("names") ?? ""));
  if (!names.ok) return names;
  const number = (key: (typeof NUMBERS)[number], otherwise: number): number => Number(fields.get(key) ?? otherwise);
  const features = fields.get("features");
  const perGroup = Math.ceil(names.value.length / Math.max(1, number("groups", 1)));
  const capacity = {
    cpus: number("cpus", 1),
    memoryBytes: number("memory_gb", 1) * GIBIBYTE,
    gpuMilli: number("gpus", 0) * 1_000,
    gpuType: String(fields.get("gpu_type") ?? ""),
    features: Array.isArray(features) ? features.map(String) : [],
  };
  const first = number("group", 0);
  return ok(
    names.value.map((name, at) => ({ name, capacity: { ...capacity, group: first + Math.floor(at / perGroup) } })),
  );
}

const isCount = (value: unknown): boolean => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;

const fieldsOf = (value: unknown): ReadonlyMap<string, unknown> =>
  new Map(typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : []);
