/** The weights of a replay: a profile by name, or a JSON file with the nine of them. */
import { nearest } from "../../base/nearest.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { CostWeights } from "../../core/domain/tenant.ts";
import { DEFAULT_WEIGHTS } from "../../core/domain/tenant.ts";
import { WEIGHT_PROFILE_NAMES, WEIGHT_PROFILES } from "../../core/scheduler/score/weight-profiles.ts";
import { UsageError } from "../grammar/usage-error.ts";

/** The keys of the file, by field. */
const KEYS: Readonly<Record<keyof CostWeights, string>> = {
  priority: "priority",
  waitTime: "wait_time",
  fairShare: "fair_share",
  topology: "topology",
  dataReadiness: "data_readiness",
  backlog: "backlog",
  energy: "energy",
  checkpointEfficiency: "checkpoint_efficiency",
  conformance: "conformance",
};

/** Returns the weights that `given` names; the default ones when it is absent. */
export async function readWeights(given: string | undefined): Promise<CostWeights> {
  if (given === undefined) return DEFAULT_WEIGHTS;
  const profile = WEIGHT_PROFILE_NAMES.find((name) => name === given);
  if (profile) return WEIGHT_PROFILES[profile];
  const file = Bun.file(given);
  if (!(await file.exists())) {
    const close = nearest(given, WEIGHT_PROFILE_NAMES);
    const next = close === undefined ? `profiles are: ${WEIGHT_PROFILE_NAMES.join(", ")}` : `did you mean ${close}?`;
    throw new UsageError(`--weights: "${given}" is neither a profile nor a file`, next);
  }
  return weightsFrom(given, await file.text());
}

function weightsFrom(path: string, text: string): CostWeights {
  const values = parsed(path, text);
  const stray = [...values.keys()].find((key) => !Object.values(KEYS).includes(key));
  if (stray !== undefined) throw wrong(`${path}: there is no weight ${stray}`);
  const weight = (field: keyof CostWeights): number => {
    const value = values.get(KEYS[field]);
    if (typeof value === "number" && value >= 0) return value;
    throw wrong(`${path}: ${KEYS[field]} is ${value === undefined ? "missing" : JSON.stringify(value)}`);
  };
  return {
    priority: weight("priority"),
    waitTime: weight("waitTime"),
    fairShare: weight("fairShare"),
    topology: weight("topology"),
    dataReadiness: weight("dataReadiness"),
    backlog: weight("backlog"),
    energy: weight("energy"),
    checkpointEfficiency: weight("checkpointEfficiency"),
    conformance: weight("conformance"),
  };
}

function parsed(path: string, text: string): ReadonlyMap<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return new Map(Object.entries(value));
  } catch {
    throw wrong(`${path} is no JSON`);
  }
  throw wrong(`${path} is no JSON object`);
}

const wrong = (message: string): LatticeError =>
  new LatticeError(
    fault("INVALID_SPEC", message, `give a number from 0 up for each of: ${Object.values(KEYS).join(", ")}`),
  );
