/**
 * Reads the YAML file of a workflow. Members take the options of `lattice submit` by the
 * same table; names, references and cycles are checked here so that a typing error is
 * told before anything is sent.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import { nearest } from "../base/nearest.ts";
import type { AllocationRequest, Submission } from "../core/domain/allocation-request.ts";
import { orderDag } from "../core/domain/dag.ts";
import { LatticeError } from "../core/domain/errors.ts";
import { complete, emptyDraft } from "../core/slurm/draft.ts";
import { LATTICE_OPTIONS } from "../core/slurm/lattice-options.ts";
import { UsageError } from "./grammar/usage-error.ts";
import type { Settings } from "./settings.ts";

type Dependencies = NonNullable<AllocationRequest["dependsOn"]>;
type Fields = Readonly<Record<string, unknown>>;

const TOP_KEYS = ["dag_id", "allocations", "edges"];
const PROGRAM_KEYS = ["script", "entrypoint", "argv"];
const OPTION_KEYS = [...LATTICE_OPTIONS.keys()].filter((name) => name !== "depends-on" && name !== "array");
const MEMBER_KEYS = [...PROGRAM_KEYS, "depends_on", "walltime_hours", ...OPTION_KEYS];

/** Returns the submission that the file describes. @throws UsageError naming the place; DAG_CYCLE. */
export async function readWorkflow(text: string, path: string, settings: Settings): Promise<Submission> {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem !== undefined) throw new UsageError(`${path}: ${problem.message.split("\n")[0]}`);
  const file = fieldsOf(document.toJS(), path);
  refuseUnknown(file, TOP_KEYS, path);
  const members = listOf(file.allocations, `${path}: allocations`).map((member, i) =>
    memberOf(fieldsOf(member, `${path}: allocations[${i}]`), { path, at: `${path}: allocations[${i}]`, settings }),
  );
  if (members.length === 0) throw new UsageError(`${path}: allocations is empty`);
  const requests = withEdges(members, listOf(file.edges ?? [], `${path}: edges`), path);
  const order = orderDag(
    requests.map(({ name = "", dependsOn = [] }) => ({
      name,
      dependsOn: dependsOn.filter((d) => d.condition !== "mutex").map((d) => d.ref),
    })),
  );
  if (!order.ok) throw new LatticeError(order.error);
  const dagId = file.dag_id === undefined ? undefined : textOf(file.dag_id, `${path}: dag_id`);
  return dagId === undefined ? { kind: "dag", requests } : { kind: "dag", dagId, requests };
}

interface Place {
  readonly path: string;
  readonly at: string;
  readonly settings: Settings;
}

function memberOf(fields: Fields, { path, at, settings }: Place): AllocationRequest {
  // Options may be written as YAML likes them, with underscores.
  const named = Object.fromEntries(Object.entries(fields).map(([key, value]) => [keyOf(key), value]));
  refuseUnknown(named, MEMBER_KEYS, at);
  const name = textOf(named.name, `${at}: name`);
  const where = `${path}: ${name}`;
  const draft = emptyDraft();
  for (const key of OPTION_KEYS) {
    for (const value of valuesOf(named[key], `${where}: ${key}`)) {
      const wrong = LATTICE_OPTIONS.get(key)?.(draft, value);
      if (wrong !== undefined) throw new UsageError(`${where}: ${key}: ${wrong}`);
    }
  }
  const { request } = complete(draft);
  const tenant = request.tenant ?? settings.tenant ?? settings.tenantDefault ?? "default";
  const vcluster = request.vcluster ?? settings.vcluster ?? settings.vclusterDefault;
  return {
    ...request,
    ...programOf(named, where, dirname(path)),
    ...walltimeOf(named.walltime_hours, where),
    tenant,
    ...(vcluster === undefined ? {} : { vcluster }),
    workdir: resolve(dirname(path), request.workdir ?? "."),
    dependsOn: dependenciesOf(named.depends_on, where),
  };
}

const keyOf = (key: string): string => (MEMBER_KEYS.includes(key) ? key : key.replaceAll("_", "-"));

function programOf(fields: Fields, where: string, folder: string): AllocationRequest {
  const given = PROGRAM_KEYS.filter((key) => fields[key] !== undefined);
  if (given.length !== 1) throw new UsageError(`${where}: give one of ${PROGRAM_KEYS.join(", ")}`);
  if (fields.entrypoint !== undefined) return { entrypoint: textOf(fields.entrypoint, `${where}: entrypoint`) };
  if (fields.argv !== undefined) {
    return { argv: listOf(fields.argv, `${where}: argv`).map((word) => textOf(word, `${where}: argv`)) };
  }
  const script = textOf(fields.script, `${where}: script`);
  // A script of several lines is the text itself.
  if (script.includes("\n")) return { script };
  try {
    return { script: readFileSync(resolve(folder, script), "utf8") };
  } catch {
    throw new UsageError(`${where}: script ${script} cannot be read`);
  }
}

function walltimeOf(value: unknown, where: string): AllocationRequest {
  if (value === undefined) return {};
  if (typeof value !== "number" || value <= 0) throw new UsageError(`${where}: walltime_hours is not a number above 0`);
  return { walltimeMs: Math.round(value * 3_600_000) };
}

function dependenciesOf(value: unknown, where: string): Dependencies {
  return listOf(value ?? [], `${where}: depends_on`).map((item) => {
    if (typeof item === "string") return { ref: item, condition: "success" };
    const fields = fieldsOf(item, `${where}: depends_on`);
    refuseUnknown(fields, ["name", "condition"], `${where}: depends_on`);
    const condition = fields.condition === undefined ? "success" : textOf(fields.condition, `${where}: condition`);
    return { ref: textOf(fields.name, `${where}: depends_on: name`), condition };
  });
}

/** `edges` say the same as `depends_on`, from the outside. */
function withEdges(
  members: readonly AllocationRequest[],
  edges: readonly unknown[],
  path: string,
): readonly AllocationRequest[] {
  const added = new Map<string, { ref: string; condition: string }[]>();
  for (const [i, edge] of edges.entries()) {
    const at = `${path}: edges[${i}]`;
    const fields = fieldsOf(edge, at);
    refuseUnknown(fields, ["from", "to", "condition"], at);
    const to = textOf(fields.to, `${at}: to`);
    if (!members.some(({ name }) => name === to)) throw new UsageError(`${at}: no allocation is named ${to}`);
    const condition = fields.condition === undefined ? "success" : textOf(fields.condition, `${at}: condition`);
    added.set(to, [...(added.get(to) ?? []), { ref: textOf(fields.from, `${at}: from`), condition }]);
  }
  return members.map((member) => ({
    ...member,
    dependsOn: [...(member.dependsOn ?? []), ...(added.get(member.name ?? "") ?? [])],
  }));
}

function fieldsOf(value: unknown, at: string): Fields {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new UsageError(`${at} must have keys`);
  return { ...value };
}

function listOf(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new UsageError(`${at} must be a list`);
  return value;
}

function textOf(value: unknown, at: string): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string" || value === "") throw new UsageError(`${at} must be text`);
  return value;
}

/** An option may be one value, a list of values, or a map of NAME: value (env, tag). */
function valuesOf(value: unknown, at: string): readonly string[] {
  if (value === undefined) return [];
  if (typeof value === "boolean") return [String(value)];
  if (Array.isArray(value)) return value.map((item) => textOf(item, at));
  if (value !== null && typeof value === "object") {
    return Object.entries(value).map(([name, part]) => `${name}=${part === "" ? "" : textOf(part, `${at}.${name}`)}`);
  }
  return [textOf(value, at)];
}

function refuseUnknown(fields: Fields, known: readonly string[], at: string): void {
  for (const key of Object.keys(fields)) {
    if (known.includes(key)) continue;
    const close = nearest(key, known);
    throw new UsageError(`${at}: unknown key "${key}"`, close === undefined ? undefined : `did you mean "${close}"?`);
  }
}
