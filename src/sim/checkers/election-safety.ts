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

  onLeader(member: MemberId, term: Term): void {
    const known = this.#leaders.get(term) ?? member;
    this.#leaders.set(term, known);
    if (known !== member) this.#findings.add("election safety", `term ${term} has leaders ${known} and ${member}`);
  }

  /** Returns how many terms had a leader. */
  get termCount(): number {
    return this.#leaders.size;
  }
}
