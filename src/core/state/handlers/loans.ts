/** Whether a placement may use nodes that another vCluster lends: counted again from the claims as they are. */
import type { Result } from "../../../base/result.ts";
import { ok } from "../../../base/result.ts";
import type { Allocation } from "../../domain/allocation.ts";
import type { Fault } from "../../domain/errors.ts";
import { refuse } from "../../domain/errors.ts";
import type { NodeId, VClusterId } from "../../domain/ids.ts";
import type { Claim } from "../../domain/resources.ts";
import { borrowMaxOf, lendMaxOf, mayBorrow } from "../../domain/tenant.ts";
import type { State } from "../state.ts";

/** Refuses what is dedicated to others and not lent, or more than is lent. */
export function checkLoans(state: State, a: Allocation, claims: readonly Claim[]): Result<void, Fault> {
  const { vcluster } = a.spec;
  const asked = new Map<VClusterId, number>();
  for (const { nodeId } of claims) {
    const lender = state.indexes.dedicated.get(nodeId);
    if (lender === undefined || lender === vcluster) continue;
    const owner = state.tables.vclusters.get(lender);
    if (!mayBorrow(a.spec) || !owner || lendMaxOf(owner) === 0)
      return refuse("NODE_UNSUITABLE", `node ${nodeId} is dedicated to vCluster ${lender}`);
    asked.set(lender, (asked.get(lender) ?? 0) + 1);
  }
  if (asked.size === 0) return ok(undefined);
  for (const [id, count] of asked) {
    const lender = state.tables.vclusters.get(id);
    const lent = lender ? countForeign(state, lender.dedicatedNodes, (owner) => owner !== id) : 0;
    if (!lender || lent + count > lendMaxOf(lender)) {
      return refuse("NODE_UNSUITABLE", `vCluster ${id} lends no more nodes: ${lent} are lent`);
    }
  }
  const borrower = state.tables.vclusters.get(vcluster);
  const most = borrower ? borrowMaxOf(borrower) : 0;
  const all = [...asked.values()].reduce((sum, count) => sum + count, borrowedBy(state, vcluster));
  return all > most ? refuse("NODE_UNSUITABLE", `vCluster ${vcluster} may borrow ${most} nodes`) : ok(undefined);
}

const borrowedBy = (state: State, vcluster: VClusterId): number => {
  const foreign = [...state.indexes.dedicated].filter(([, owner]) => owner !== vcluster).map(([node]) => node);
  return countForeign(state, foreign, (holder) => holder === vcluster);
};

/** Returns how many claims on these nodes are of vClusters that count. */
function countForeign(state: State, nodes: readonly NodeId[], counts: (holder: VClusterId) => boolean): number {
  let count = 0;
  for (const node of nodes) {
    for (const id of state.indexes.nodeLoad.get(node)?.claims.keys() ?? []) {
      const holder = state.tables.allocations.get(id)?.spec.vcluster;
      if (holder !== undefined && counts(holder)) count++;
    }
  }
  return count;
}
