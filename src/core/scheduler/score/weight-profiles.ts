/** Weights by the kind of work that a vCluster is for, under names that a site can ask for. */
import type { CostWeights } from "../../domain/tenant.ts";
import { DEFAULT_WEIGHTS } from "../../domain/tenant.ts";

/** The names of the profiles. */
export const WEIGHT_PROFILE_NAMES = [
  "default",
  "hpc-batch",
  "ml-training",
  "service",
  "sensitive",
  "interactive",
] as const;
export type WeightProfileName = (typeof WEIGHT_PROFILE_NAMES)[number];

/** The profiles. Each adds up to 1, so that scores of vClusters with different profiles compare. */
export const WEIGHT_PROFILES: Readonly<Record<WeightProfileName, CostWeights>> = {
  default: DEFAULT_WEIGHTS,
  "hpc-batch": weights([0.15, 0.2, 0.2, 0.15, 0.1, 0.05, 0, 0.05, 0.1]),
  "ml-training": weights([0.1, 0.1, 0.1, 0.25, 0.15, 0.05, 0.05, 0.1, 0.1]),
  service: weights([0.15, 0.05, 0.1, 0.05, 0.1, 0.05, 0.1, 0.1, 0.3]),
  sensitive: weights([0.9, 0, 0, 0, 0, 0, 0, 0, 0.1]),
  interactive: weights([0.1, 0.3, 0.1, 0, 0.05, 0.15, 0, 0, 0.3]),
};

type Nine = readonly [number, number, number, number, number, number, number, number, number];

/** In the order f1 to f9. */
function weights(all: Nine): CostWeights {
  const [priority, waitTime, fairShare, topology, dataReadiness, backlog, energy, checkpointEfficiency, conformance] =
    all;
  return {
    priority,
    waitTime,
    fairShare,
    topology,
    dataReadiness,
    backlog,
    energy,
    checkpointEfficiency,
    conformance,
  };
}
