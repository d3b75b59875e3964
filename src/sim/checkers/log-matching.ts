/**
 * Log matching (Raft, Figure 3): logs that hold an entry with the same index and term are
 * equal up to there. Shown by induction: whoever writes an entry, its bytes and the term of
 * the entry before it are the same wherever index and term are.
 */
import type { Term } from "../../base/brand.ts";
import { crc32 } from "../../base/hash.ts";
import type { Entry, MemberId } from "../../core/raft/raft-types.ts";
import type { Findings } from "./findings.ts";

export class LogMatching {
  readonly #findings: Findings;
  readonly #entries = new Map<string, string>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  onWrite(member: MemberId, entries: readonly Entry[], before: Term): void {
    let prevTerm = before;
    for (const { index, term, kind, data } of entries) {
      const key = `${index}/${term}`;
      const value = `${kind} ${crc32(data)} after term ${prevTerm}`;
      const known = this.#entries.get(key) ?? value;
      this.#entries.set(key, known);
      if (known !== value) this.#findings.add("log matching", `entry ${key} is ${known}; at member ${member} ${value}`);
      prevTerm = term;
    }
  }
}
