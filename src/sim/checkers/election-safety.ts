/** Election safety (Raft, Figure 3): at most one leader in a term. */
import type { Term } from "../../base/brand.ts";
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { Findings } from "./findings.ts";

export class ElectionSafety {
  readonly #findings: Findings;
  readonly #leaders = new Map<Term, MemberId>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** A member leads; returns whether that is news. */
  onLeader(member: MemberId, term: Term): boolean {
    const known = this.#leaders.get(term);
    if (known === undefined) this.#leaders.set(term, member);
    else if (known !== member) this.#findings.add("election safety", `term ${term} has leaders ${known} and ${member}`);
    return known === undefined;
  }

  /** Returns how many terms had a leader. */
  get termCount(): number {
    return this.#leaders.size;
  }
}
