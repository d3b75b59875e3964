/** Finds one node more for a service that runs, as a pass would choose it. */
import { logIndex, millis } from "../../base/brand.ts";
import type { AllocationSpec } from "../domain/allocation.ts";
import type { NodeId } from "../domain/ids.ts";
import { allocationId, shortId, userId } from "../domain/ids.ts";
import type { Claim } from "../domain/resources.ts";
import { claimOn } from "../domain/resources.ts";
import type { ClusterView, PendingView } from "../domain/view.ts";
import { demandOf, traitsOf } from "./demand.ts";
import { indexNodes } from "./node-index.ts";
import { selectNodes } from "./select-nodes.ts";

/** Returns the claim on a node that suits the service and is none of its own, if there is one. */
export function claimForOneMore(view: ClusterView, spec: AllocationSpec, own: readonly NodeId[]): Claim | undefined {
  const request = { ...spec.resources, nodesMin: 1, nodesMax: 1, featureCounts: {} };
  const asked: PendingView = {
    id: allocationId(""),
    shortId: shortId(0),
    version: logIndex(0),
    tenant: spec.tenant,
    user: userId(""),
    vcluster: spec.vcluster,
    request,
    preemptionClass: spec.preemptionClass,
    walltimeMs: millis(0),
    submittedAt: millis(0),
    isSensitive: spec.isSensitive,
  };
  const taken = new Set(own);
  const others = { ...view, nodes: view.nodes.filter(({ id }) => !taken.has(id)) };
  const traits = traitsOf(view.vcluster(spec.vcluster), asked);
  const [pick] = selectNodes(demandOf(indexNodes(others), asked, traits))?.picks ?? [];
  if (!pick) return undefined;
  return claimOn(request, { id: pick.node.view.id, capacity: pick.offer.of.capacity }, traits.isShared);
}
