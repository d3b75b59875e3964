/**
 * Signs audit entries and has them committed. An entry of a change travels with its command;
 * what is done besides the log is recorded first, and not done when that fails.
 *
 * Invariant INV-U2: what the table of audited operations names does not happen unless its
 * entry is committed, with it or before it.
 */

import { isAudited } from "../../../core/access/audited.ts";
import type { Resource } from "../../../core/access/authorize.ts";
import type { Operation } from "../../../core/access/operations.ts";
import type { AuditActor, AuditBody, AuditTarget, SignedAudit } from "../../../core/audit/entry.ts";
import { keyIdOf, signedText } from "../../../core/audit/entry.ts";
import { LatticeError } from "../../../core/domain/errors.ts";
import type { CommandBody } from "../../../core/state/commands.ts";
import type { AuditSigner } from "../../../ports/audit-signer.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { Call } from "../call.ts";
import type { Replica } from "../replica.ts";
import { SYSTEM } from "../replica.ts";

/** What a caller does, for the table and for the entry. */
export interface AuditedAct {
  readonly operation: Operation;
  readonly target: AuditTarget;
  /** What access was decided by; absent: nothing that belongs to anybody. */
  readonly resource?: Resource;
}

/** The parts of a body that the caller of `sign` knows. */
export type AuditFacts = Pick<AuditBody, "action" | "actor" | "target"> &
  Partial<Pick<AuditBody, "from" | "requestId" | "denied" | "count" | "head">>;

const NO_LEADER = "the servers have no leader at the moment: what must be audited cannot be done";

/** What the servers do by themselves. */
export const SYSTEM_ACTOR: AuditActor = { user: SYSTEM, role: "server" };

/** Returns the name of an operation in the audit log. */
export const actionOf = (operation: Operation): string => `lattice.${operation}`;

/** Returns who acts, as the audit log has it. */
export const actorOf = ({ user, role, tenant, node }: Call["principal"]): AuditActor => ({
  user,
  role,
  ...(tenant !== undefined && { tenant }),
  ...(node !== undefined && { node }),
});

/** What an auditor is made from. */
export interface AuditorParts {
  /** Names this process in the ids of its entries. */
  readonly process: string;
  readonly replica: Replica;
  readonly signer: AuditSigner;
  readonly clock: Clock;
}

export class Auditor {
  readonly #parts: AuditorParts;
  readonly keyId: string;
  #registering: Promise<void> | undefined;
  #count = 0;

  constructor(parts: AuditorParts) {
    this.#parts = parts;
    this.keyId = keyIdOf(parts.signer.publicKey);
  }

  get signer(): AuditSigner {
    return this.#parts.signer;
  }

  /** Returns the entry that is to be committed with the caller's command; undefined where the table wants none. */
  async entryOf(call: Call, { operation, target, resource = {} }: AuditedAct): Promise<SignedAudit | undefined> {
    if (!isAudited(operation, call.principal, resource)) return undefined;
    await this.#ready();
    return this.#sign({ ...factsOf(call), action: actionOf(operation), target });
  }

  /** Resolves when the entry of what the caller is about to do is committed; at once where the table wants none. */
  async recordFirst(call: Call, act: AuditedAct): Promise<void> {
    if (
      this.#parts.replica.status.leader === undefined &&
      isAudited(act.operation, call.principal, act.resource ?? {})
    ) {
      throw new LatticeError({ reason: "NO_QUORUM", message: NO_LEADER, retryAfterMs: 500 });
    }
    const audit = await this.entryOf(call, act);
    if (audit) await this.#parts.replica.propose({ kind: "record-audit" }, call.principal.user, { audit });
  }

  /** Resolves when an entry that belongs to no operation is committed. */
  async record(facts: AuditFacts, body: CommandBody = { kind: "record-audit" }): Promise<void> {
    await this.#ready();
    await this.#parts.replica.propose(body, SYSTEM, { audit: this.#sign(facts) });
  }

  /** A restored or replaced state may not know the key any more. */
  #ready(): Promise<void> {
    const { replica } = this.#parts;
    if (replica.state.tables.auditKeys.has(this.keyId)) return Promise.resolve();
    this.#registering ??= this.#register().finally(() => {
      this.#registering = undefined;
    });
    return this.#registering;
  }

  async #register(): Promise<void> {
    const { replica, signer, clock } = this.#parts;
    const member = replica.status.self;
    const key = { id: this.keyId, publicKey: signer.publicKey, member, since: clock.now() };
    const facts = { action: "lattice.audit.key", actor: SYSTEM_ACTOR, target: { name: this.keyId } };
    await replica.propose({ kind: "register-audit-key", key }, SYSTEM, { audit: this.#sign(facts) });
  }

  #sign({ from = "", requestId = "", ...facts }: AuditFacts): SignedAudit {
    const { process, clock, replica, signer } = this.#parts;
    const id = `${process}:${++this.#count}`;
    const body: AuditBody = { ...facts, from, requestId, id, at: clock.now(), server: replica.status.self };
    return { body, key: this.keyId, signature: signer.sign(signedText(body)) };
  }
}

const factsOf = ({ principal, from = "", requestId }: Call) => ({ actor: actorOf(principal), from, requestId });
