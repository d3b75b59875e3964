/**
 * Denials and logins as audit entries. Both come as often as callers like, so the first of a
 * kind is told at once and those like it are counted: a flood makes a few entries a minute,
 * however large it is.
 */

import type { Operation } from "../../../core/access/operations.ts";
import type { AuditActor } from "../../../core/audit/entry.ts";
import type { Fault, FaultReason } from "../../../core/domain/errors.ts";
import type { Principal, Role } from "../../../core/domain/principal.ts";
import type { CancelTimer, Clock } from "../../../ports/clock.ts";
import type { Logger } from "../../../ports/log.ts";
import type { AuditFacts, Auditor } from "./auditor.ts";
import { actionOf, actorOf } from "./auditor.ts";

/** Denials that are alike within this time share an entry. */
export const WINDOW_MS = 60_000;
/** Kinds of denial that are told apart within the time; the rest is counted together. */
export const KINDS_MAX = 32;
/** One entry per this time for each person with more rights than a user, and each of that person's addresses. */
const LOGIN_MS = 3_600_000;
const LOGINS_MAX = 10_000;

const DENIALS: readonly FaultReason[] = ["FORBIDDEN", "UNAUTHENTICATED", "TOKEN_EXPIRED"];
const PLAIN: readonly Role[] = ["User", "ReadOnly", "agent", "server"];

/** Who was denied what. */
export interface Denied {
  /** Absent for a caller who could not prove who it is. */
  readonly principal?: Principal | undefined;
  readonly operation: Operation;
  readonly from: string;
  readonly requestId: string;
}

interface Kind {
  readonly facts: AuditFacts;
  /** Further ones that no entry tells yet. */
  count: number;
}

/** What the desk works with. */
export interface DenialParts {
  readonly auditor: Pick<Auditor, "record">;
  readonly clock: Clock;
  readonly log: Logger;
}

const NOBODY: AuditActor = { user: "" };

export class Denials {
  readonly #parts: DenialParts;
  readonly #kinds = new Map<string, Kind>();
  readonly #logins = new Map<string, number>();
  #timer: CancelTimer | undefined;

  constructor(parts: DenialParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#timer?.();
  }

  /** A request was refused; only what was a matter of rights is told. */
  onRefused({ principal, operation, from, requestId }: Denied, { reason, message, about = {} }: Fault): void {
    if (!DENIALS.includes(reason)) return;
    const actor = principal ? actorOf(principal) : NOBODY;
    const name = [reason, actor.user, principal ? operation : from].join("|");
    this.#timer ??= this.#parts.clock.after(WINDOW_MS, () => this.#endWindow());
    const known = this.#kinds.get(name);
    if (known) {
      known.count += 1;
    } else if (this.#kinds.size < KINDS_MAX) {
      const denied = `${reason}: ${message}`;
      const facts = { actor, action: actionOf(operation), target: about, from, requestId, denied };
      this.#kinds.set(name, { facts, count: 0 });
      this.#record(facts);
    } else {
      this.#countRest();
    }
  }

  /** A request was let in; the first of a person who may do more than users is told. */
  onLetIn(principal: Principal, from: string): void {
    if (PLAIN.includes(principal.role)) return;
    const name = [principal.user, principal.role, from].join("|");
    const now = this.#parts.clock.monotonic();
    const last = this.#logins.get(name);
    if (last !== undefined && now - last < LOGIN_MS) return;
    if (this.#logins.size >= LOGINS_MAX) this.#logins.clear();
    this.#logins.set(name, now);
    this.#record({ actor: actorOf(principal), action: "lattice.auth.login", target: {}, from });
  }

  #countRest(): void {
    const facts = { actor: NOBODY, action: "lattice.auth.denied", target: {}, denied: "many kinds of denial at once" };
    const rest = this.#kinds.get("") ?? { facts, count: 0 };
    rest.count += 1;
    this.#kinds.set("", rest);
  }

  #endWindow(): void {
    this.#timer = undefined;
    const counted = [...this.#kinds.values()].filter(({ count }) => count > 0);
    this.#kinds.clear();
    for (const { facts, count } of counted) this.#record({ ...facts, count });
  }

  #record(facts: AuditFacts): void {
    const { auditor, log } = this.#parts;
    auditor
      .record(facts)
      .catch((error: unknown) => log.warn("an audit entry was not stored", { ...facts, error: String(error) }));
  }
}
