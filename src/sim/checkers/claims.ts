/** INV-S1, from the records alone: the claims on a node never exceed it, and an exclusive one is alone. */
import { holdsNodes } from "../../core/domain/lifecycle.ts";
import type { Claim } from "../../core/domain/resources.ts";
import { addAmounts, fits, NOTHING } from "../../core/domain/resources.ts";
import type { State } from "../../core/state/state.ts";
import type { Findings } from "./findings.ts";

/** Looks at every node of a state. */
export function checkClaims(findings: Findings, state: State): void {
  const byNode = new Map<string, Claim[]>();
  for (const a of state.tables.allocations.values()) {
    if (!holdsNodes(a.state)) continue;
    for (const { claim } of a.parts) {
      const claims = byNode.get(claim.nodeId);
      if (claims === undefined) byNode.set(claim.nodeId, [claim]);
      else claims.push(claim);
    }
  }
  for (const node of state.tables.nodes.values()) {
    const claims = byNode.get(node.id) ?? [];
    const isShared = claims.length > 1 && claims.some((claim) => claim.isExclusive);
    const isFull = !fits(claims.reduce(addAmounts, { ...NOTHING }), node.capacity);
    if (isShared || isFull) findings.add("INV-S1", `node ${node.id} is claimed by ${JSON.stringify(claims)}`);
  }
}
