/** State-machine safety, of the state itself: members that have applied the same index have the same hash. */
import type { LogIndex } from "../../base/brand.ts";
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { Findings } from "./findings.ts";

export class EqualStates {
  readonly #findings: Findings;
  readonly #hashes = new Map<LogIndex, { readonly hash: string; readonly member: MemberId }>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Returns whether this is the first time that the index was reached. */
  onApplied(member: MemberId, index: LogIndex, hash: string): boolean {
    const known = this.#hashes.get(index);
    if (known === undefined) {
      this.#hashes.set(index, { hash, member });
      return true;
    }
    if (known.hash !== hash) {
      const text = `at entry ${index} the state of member ${known.member} is ${known.hash}, of member ${member} ${hash}`;
      this.#findings.add("equal states", text);
    }
    return false;
  }
}
