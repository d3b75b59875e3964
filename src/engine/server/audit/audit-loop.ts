/**
 * The chores of the audit log. The leader signs heads, which vouch for everything before
 * them, moves old entries out of memory and, where configured, into archives; every server
 * verifies the chain, a little at a time, over and over.
 */
import { millis } from "../../../base/brand.ts";
import type { ChainProblem } from "../../../core/audit/chain.ts";
import { ChainVerifier, HEAD_ACTION } from "../../../core/audit/chain.ts";
import { auditHeadOf, metaOf } from "../../../core/state/state.ts";
import type { AuditFiles } from "../../../ports/audit-files.ts";
import type { CancelTimer } from "../../../ports/clock.ts";
import type { LoopParts } from "../loop-parts.ts";
import { SYSTEM } from "../replica.ts";
import { archiveBefore } from "./archive-audit.ts";
import type { Auditor } from "./auditor.ts";
import { SYSTEM_ACTOR } from "./auditor.ts";
import { readEntry, SLICE } from "./read-entries.ts";

const PERIOD_MS = 1_000;
/** Between two signed heads, at least, unless there are many entries. */
const HEAD_MS = 10_000;
const HEAD_ENTRIES = 1_000;
/** Entries in memory; those beyond are moved in batches. */
const LIVE_MAX = 1_000;
const RETIRE_BATCH = 500;
/** A pass over the whole chain begins this long after the last one ended. */
const PASS_MS = 3_600_000;
/** Between two looks at what is old enough for an archive. */
const ARCHIVE_MS = 3_600_000;

/** What the loop works with. */
export type AuditLoopParts = LoopParts & { readonly auditor: Auditor; readonly auditFiles: AuditFiles };

export class AuditLoop {
  readonly #parts: AuditLoopParts;
  readonly #auditor: Auditor;
  #timer: CancelTimer | undefined;
  #isBusy = false;
  #archivedAt = Number.NEGATIVE_INFINITY;
  #signedAt = Number.NEGATIVE_INFINITY;
  #pass: ChainVerifier | undefined;
  #passEndedAt = Number.NEGATIVE_INFINITY;
  #problems: readonly ChainProblem[] = [];
  #verifiedAt: number | undefined;
  #verifiedTo = 0;

  constructor(parts: AuditLoopParts) {
    this.#parts = parts;
    this.#auditor = parts.auditor;
  }

  start(): void {
    const { clock, replica, metrics } = this.#parts;
    this.#timer = clock.every(PERIOD_MS, () => void this.#round());
    replica.listen({
      onReplaced: () => {
        this.#pass = undefined;
        this.#passEndedAt = Number.NEGATIVE_INFINITY;
      },
    });
    const one = (value: number | undefined) => (value === undefined ? [] : [{ labels: {}, value }]);
    metrics.read("lattice_audit_entries", () => one(auditHeadOf(replica.state).length));
    metrics.read("lattice_audit_verified_entries", () => one(this.#verifiedTo));
    metrics.read("lattice_audit_problems", () => one(this.#problems.length));
    metrics.read("lattice_audit_last_verified_timestamp_seconds", () =>
      one(this.#verifiedAt === undefined ? undefined : this.#verifiedAt / 1000),
    );
  }

  stop(): void {
    this.#timer?.();
  }

  async #round(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const { replica, log } = this.#parts;
    try {
      this.#verifySome();
      if (replica.isLeader) await this.#lead();
    } catch (error) {
      log.warn("a chore of the audit log failed; it is tried again", { error });
    } finally {
      this.#isBusy = false;
    }
  }

  async #lead(): Promise<void> {
    const { replica, clock } = this.#parts;
    const { length, hash, epoch, liveFrom } = auditHeadOf(replica.state);
    if (length === 0) return;
    const { restoreEpoch } = metaOf(replica.state);
    if (epoch !== restoreEpoch) {
      const target = { name: `epoch ${restoreEpoch}` };
      return this.#auditor.record({ action: "lattice.backup.restored", actor: SYSTEM_ACTOR, target });
    }
    const last = readEntry(replica, length).entry;
    const isDue = clock.monotonic() - this.#signedAt >= HEAD_MS || length - this.#verifiedTo > HEAD_ENTRIES;
    if (last && last.body.action !== HEAD_ACTION && isDue) {
      this.#signedAt = clock.monotonic();
      const head = { sequence: length, hash };
      await this.#auditor.record({ action: HEAD_ACTION, actor: SYSTEM_ACTOR, target: {}, head });
    }
    if (length - liveFrom + 1 > LIVE_MAX + RETIRE_BATCH) {
      await replica.propose({ kind: "retire-audit", to: length - LIVE_MAX }, SYSTEM);
    }
    await this.#archive();
  }

  async #archive(): Promise<void> {
    const { clock, settings } = this.#parts;
    const { auditArchiveAfterMs = 0 } = settings;
    if (auditArchiveAfterMs === 0 || clock.monotonic() - this.#archivedAt < ARCHIVE_MS) return;
    this.#archivedAt = clock.monotonic();
    await archiveBefore(this.#parts, millis(clock.now() - auditArchiveAfterMs));
  }

  /** Goes on with a pass; one that has come to the end follows the chain as it grows. */
  #verifySome(): void {
    const { replica, clock } = this.#parts;
    const head = auditHeadOf(replica.state);
    if (head.length === 0) return;
    const isPassDue = clock.monotonic() - this.#passEndedAt >= PASS_MS && this.#pass?.last.sequence === head.length;
    if (this.#pass === undefined || isPassDue) this.#pass = this.#begin();
    const pass = this.#pass;
    const end = Math.min(head.length, pass.last.sequence + SLICE);
    const before = pass.problems.length;
    for (let sequence = pass.last.sequence + 1; sequence <= end; sequence++) {
      const read = readEntry(replica, sequence);
      if (read.entry) pass.add(read.entry);
      else pass.add(undefined, read.why);
    }
    this.#tell(pass, before);
    if (pass.last.sequence < head.length) return;
    if (this.#passEndedAt === Number.NEGATIVE_INFINITY || isPassDue) this.#passEndedAt = clock.monotonic();
    this.#verifiedAt = clock.now();
    this.#problems = [...pass.problems];
  }

  #begin(): ChainVerifier {
    const { tables } = this.#parts.replica.state;
    const { archivedTo } = auditHeadOf(this.#parts.replica.state);
    const before = [...tables.auditArchives.values()].find(({ last }) => last === archivedTo);
    const start = { sequence: archivedTo, hash: before?.lastHash ?? "" };
    const publicKeyOf = (key: string) => this.#parts.replica.state.tables.auditKeys.get(key)?.publicKey;
    return new ChainVerifier(start, publicKeyOf, this.#auditor.signer.verify);
  }

  #tell(pass: ChainVerifier, before: number): void {
    this.#verifiedTo = pass.last.sequence;
    const fresh = pass.problems.slice(before);
    if (fresh.length === 0) return;
    this.#problems = [...pass.problems];
    this.#parts.log.error("THE AUDIT LOG WAS TAMPERED WITH OR IS DAMAGED", { problems: fresh.map(({ text }) => text) });
  }
}
