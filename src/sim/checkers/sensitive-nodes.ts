/** INV-S6, from the records alone: a claimed node holds its claimant's work only, and one that is to be wiped holds none. */
import { holdsNodes } from "../../core/domain/lifecycle.ts";
import type { State } from "../../core/state/state.ts";
import type { Findings } from "./findings.ts";

/** Looks at one state. */
export function checkSensitiveNodes(findings: Findings, { tables }: State): void {
  for (const a of tables.allocations.values()) {
    if (!holdsNodes(a.state)) continue;
    for (const { claim } of a.parts) {
      const node = tables.nodes.get(claim.nodeId);
      const claimant = node?.sensitiveClaim?.user;
      if (claimant !== undefined && claimant !== a.user) {
        findings.add("INV-S6", `node ${claim.nodeId} is claimed by ${claimant} and runs ${a.id} of ${a.user}`);
      }
      if (node?.wipe) findings.add("INV-S6", `node ${claim.nodeId} is to be wiped and runs ${a.id}`);
    }
  }
}
