/**
 * What was committed: leader completeness and state-machine safety (Raft, Figure 3). A
 * leader's log holds whatever was committed in an earlier term; no two members apply
 * different entries at one index.
 */
import type { LogIndex, Term } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import { crc32 } from "../../base/hash.ts";
import type { LogShape } from "../../core/raft/log.ts";
import { termAt } from "../../core/raft/log.ts";
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { CommittedEntry } from "../../ports/consensus.ts";
import type { Findings } from "./findings.ts";

interface Committed {
  readonly term: Term;
  readonly text: string;
  /** A term in which it surely was committed already. */
  readonly committedIn: Term;
}

export class CommitLedger {
  readonly #findings: Findings;
  readonly #entries = new Map<LogIndex, Committed>();
  #last = logIndex(0);

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** The highest index that any member has seen committed. */
  get last(): LogIndex {
    return this.#last;
  }

  /** A member in `inTerm` learnt that `entry` is committed. */
  onCommitted(member: MemberId, entry: CommittedEntry, inTerm: Term): void {
    const text = `${entry.kind} of term ${entry.term} (${crc32(entry.data)})`;
    const known = this.#entries.get(entry.index);
    if (known === undefined) {
      this.#entries.set(entry.index, { term: entry.term, text, committedIn: inTerm });
      this.#last = logIndex(Math.max(this.#last, entry.index));
    } else if (known.text !== text) {
      this.#findings.add("state-machine safety", `entry ${entry.index} is ${known.text}; at member ${member} ${text}`);
    }
  }

  onLeader(member: MemberId, inTerm: Term, log: LogShape): void {
    for (let i = log.compactedIndex + 1; i <= this.#last; i++) {
      const index = logIndex(i);
      const entry = this.#entries.get(index);
      if (entry === undefined || entry.committedIn >= inTerm || termAt(log, index) === entry.term) continue;
      const text = `member ${member} leads in term ${inTerm} without entry ${i}, which is ${entry.text}`;
      this.#findings.add("leader completeness", text);
      return;
    }
  }
}
