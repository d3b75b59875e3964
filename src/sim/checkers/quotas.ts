/**
 * INV-S2, from the records alone: what a tenant holds grows only within its quota. A quota
 * may be made smaller than what is held already, so growth is what is checked.
 */
import { holdsNodes } from "../../core/domain/lifecycle.ts";
import type { State } from "../../core/state/state.ts";
import type { Findings } from "./findings.ts";

export class Quotas {
  readonly #findings: Findings;
  #held: ReadonlyMap<string, number> = new Map();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Looks at the state after the next entry. */
  onState(state: State): void {
    const held = new Map<string, number>();
    for (const a of state.tables.allocations.values()) {
      if (holdsNodes(a.state)) held.set(a.spec.tenant, (held.get(a.spec.tenant) ?? 0) + a.parts.length);
    }
    for (const [tenant, nodes] of held) {
      const quota = [...state.tables.tenants.values()].find((t) => t.id === tenant)?.quota.nodesMax ?? 0;
      if (nodes <= quota || nodes <= (this.#held.get(tenant) ?? 0)) continue;
      this.#findings.add("INV-S2", `tenant ${tenant} holds ${nodes} nodes and may hold ${quota}`);
    }
    this.#held = held;
  }
}
