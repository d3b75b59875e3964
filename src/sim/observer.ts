/**
 * What the servers of a run show to the checkers, in the order in which it becomes visible.
 */
import type { LogIndex, Term } from "../base/brand.ts";
import { logIndex } from "../base/brand.ts";
import type { Fault } from "../core/domain/errors.ts";
import type { LogShape } from "../core/raft/log.ts";
import type { Entry, MemberId } from "../core/raft/raft-types.ts";
import type { State } from "../core/state/state.ts";
import type { CommittedEntry } from "../ports/consensus.ts";
import { AuditChain } from "./checkers/audit-chain.ts";
import { checkClaims } from "./checkers/claims.ts";
import { CommitLedger } from "./checkers/commit-ledger.ts";
import { ElectionSafety } from "./checkers/election-safety.ts";
import { EqualStates } from "./checkers/equal-states.ts";
import type { Findings } from "./checkers/findings.ts";
import { LogMatching } from "./checkers/log-matching.ts";
import { Quotas } from "./checkers/quotas.ts";
import { checkSensitiveNodes } from "./checkers/sensitive-nodes.ts";
import type { World } from "./world/world.ts";

/** What disks of a fake world say when they fail; any other end of a server is a finding. */
export const DISK_FAILURES = ["no space left on device", "input/output error"];

export class Observer {
  readonly findings: Findings;
  readonly elections: ElectionSafety;
  readonly committed: CommitLedger;
  readonly audit: AuditChain;
  readonly #logs: LogMatching;
  readonly #states: EqualStates;
  readonly #quotas: Quotas;
  readonly #world: World;
  #checkedUpTo = logIndex(0);

  constructor(world: World, findings: Findings) {
    this.#world = world;
    this.findings = findings;
    this.elections = new ElectionSafety(findings);
    this.committed = new CommitLedger(findings);
    this.#logs = new LogMatching(findings);
    this.#states = new EqualStates(findings);
    this.#quotas = new Quotas(findings);
    this.audit = new AuditChain(findings);
  }

  onLeader(member: MemberId, term: Term, log: LogShape): void {
    if (this.elections.onLeader(member, term)) this.#world.log(`s${member}`, "leads", `term=${term}`);
    this.committed.onLeader(member, term, log);
  }

  onWrite(member: MemberId, entries: readonly Entry[], before: Term): void {
    this.#logs.onWrite(member, entries, before);
  }

  onCommitted(member: MemberId, entry: CommittedEntry, inTerm: Term): void {
    this.committed.onCommitted(member, entry, inTerm);
  }

  onApplied(member: MemberId, index: LogIndex, hash: string): void {
    this.#world.log(`s${member}`, "applied", `${index} state=${hash}`);
    this.#states.onApplied(member, index, hash);
  }

  /** The state of a member after entry `index`, before anybody changes it. */
  onState(index: LogIndex, state: State): void {
    if (index <= this.#checkedUpTo) return;
    this.#checkedUpTo = index;
    checkClaims(this.findings, state);
    checkSensitiveNodes(this.findings, state);
    this.#quotas.onState(state);
    this.audit.onState(state);
  }

  /** A server ended by itself or did not start. */
  onStopped(member: MemberId, cause: Fault): void {
    if (DISK_FAILURES.includes(cause.message)) return;
    this.findings.add("servers run", `server ${member} stopped: ${cause.reason} ${cause.message}`);
  }
}
