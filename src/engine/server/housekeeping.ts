/** The leader's slow chores: what agents should have ended, what memory need not hold, what may be forgotten. */
import { millis } from "../../base/brand.ts";
import type { Allocation } from "../../core/domain/allocation.ts";
import type { AllocationId, DagId, TaskGroupId } from "../../core/domain/ids.ts";
import { LIMITS } from "../../core/domain/limits.ts";
import { isGroupOver } from "../../core/domain/task-group.ts";
import { isArchivable } from "../../core/state/handlers/archive.ts";
import { runLimitOf } from "../../core/state/preemption.ts";
import type { State } from "../../core/state/state.ts";
import { metaOf } from "../../core/state/state.ts";
import type { CancelTimer } from "../../ports/clock.ts";
import type { LoopParts } from "./loop-parts.ts";
import { SYSTEM } from "./replica.ts";
import { releaseHolds } from "./scheduling/preemption.ts";

const PERIOD_MS = 1_000;
const FORGET_PERIOD_MS = 600_000;
/** After walltime and grace period, before the servers step in. */
const WALLTIME_MARGIN_MS = 15_000;
/** Records in one command, and commands in one round: bounds how long a round holds the loop. */
const ARCHIVE_BATCH = 500;
const ARCHIVE_BATCHES_MAX = 10;

export class Housekeeping {
  readonly #parts: LoopParts;
  #timer: CancelTimer | undefined;
  #forgotAt = 0;
  #isBusy = false;

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = this.#parts.clock.every(PERIOD_MS, () => void this.#round());
    this.#parts.replica.listen({ onRole: () => void this.#round() });
  }

  stop(): void {
    this.#timer?.();
  }

  async #round(): Promise<void> {
    const { replica, log } = this.#parts;
    if (this.#isBusy || !replica.isLeader) return;
    this.#isBusy = true;
    try {
      await this.#setHalfLife();
      await this.#enforceWalltime();
      await this.#cancelLate();
      await releaseHolds(this.#parts);
      await this.#archive();
      await this.#forget();
    } catch (error) {
      log.warn("housekeeping failed; it is tried again", { error });
    } finally {
      this.#isBusy = false;
    }
  }

  /** All servers count use by the half-life that the leader is configured with. */
  async #setHalfLife(): Promise<void> {
    const { replica, settings } = this.#parts;
    const { clusterId, usageHalfLifeMs } = metaOf(replica.state);
    if (clusterId === "" || usageHalfLifeMs === settings.usageHalfLifeMs) return;
    await replica.propose({ kind: "set-usage-half-life", halfLifeMs: settings.usageHalfLifeMs }, SYSTEM);
  }

  async #enforceWalltime(): Promise<void> {
    const { replica, clock } = this.#parts;
    const now = clock.now();
    for (const id of replica.state.indexes.active) {
      const a = replica.state.tables.allocations.get(id);
      if (!a?.startedAt || a.stopping || !isOverTime(a, now)) continue;
      if (!replica.isLeader) return;
      await replica.propose(
        { kind: "stop-allocation", allocation: id, attempt: a.attempt, reason: "walltime" },
        SYSTEM,
      );
    }
  }

  /** What can no longer have ended by its deadline is not kept waiting. Few have one, so few are looked at. */
  async #cancelLate(): Promise<void> {
    const { replica, clock } = this.#parts;
    const now = clock.now();
    for (const id of replica.state.indexes.withDeadline) {
      const a = replica.state.tables.allocations.get(id);
      if (a?.state !== "pending" || (a.spec.deadline ?? now) >= now + a.walltimeMs) continue;
      if (!replica.isLeader) return;
      await replica.propose({ kind: "cancel", target: id, isLate: true }, SYSTEM);
    }
  }

  async #archive(): Promise<void> {
    const { replica, settings } = this.#parts;
    for (let batch = 0; batch < ARCHIVE_BATCHES_MAX; batch++) {
      const ids = archivable(replica.state, settings.endedInMemoryMax);
      if (ids.length === 0 || !replica.isLeader) return;
      await replica.propose({ kind: "archive", ids }, SYSTEM);
    }
  }

  async #forget(): Promise<void> {
    const { replica, clock } = this.#parts;
    const now = clock.now();
    if (now - this.#forgotAt < FORGET_PERIOD_MS || replica.state.tables.idempotency.size === 0) return;
    if (!replica.isLeader) return;
    this.#forgotAt = now;
    await replica.propose({ kind: "forget-idempotency", before: millis(now - LIMITS.idempotencyKeepMs) }, SYSTEM);
  }
}

/** Returns whether its agent should have ended it, or its deadline has passed. */
function isOverTime({ startedAt = millis(0), spec, ...a }: Allocation, now: number): boolean {
  if (spec.deadline !== undefined && spec.deadline <= now) return true;
  return a.walltimeMs > 0 && startedAt + runLimitOf(a) + spec.gracePeriodMs + WALLTIME_MARGIN_MS <= now;
}

/** Returns the oldest ended records beyond what memory should hold. */
function archivable(state: State, keep: number): readonly (AllocationId | TaskGroupId | DagId)[] {
  const { tables, indexes } = state;
  let surplus = Math.min(ARCHIVE_BATCH, indexes.ended.size - keep);
  if (surplus <= 0) return [];
  const ids: (AllocationId | TaskGroupId | DagId)[] = [];
  for (const id of indexes.ended.keys()) {
    if (surplus <= 0) break;
    if (!isArchivable(state, id)) continue;
    ids.push(id);
    surplus -= 1;
  }
  const leaving: ReadonlySet<string> = new Set(ids);
  for (const group of tables.taskGroups.values()) {
    const tasks = [...(indexes.tasks.get(group.id)?.values() ?? [])];
    if (isGroupOver(group) && tasks.every((t) => leaving.has(t))) ids.push(group.id);
  }
  for (const dag of tables.dags.values()) {
    if (dag.members.every((m) => leaving.has(m) || !tables.allocations.has(m))) ids.push(dag.id);
  }
  return ids;
}
