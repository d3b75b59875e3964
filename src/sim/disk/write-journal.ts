/**
 * The writes of one file that a crash may still undo. A write ends at a moment of its
 * process's own time, and is safe from a loss of power from the moment it is synced.
 */
import type { Prng } from "../../base/prng.ts";
import { happens, wholeWithin } from "../world/chance.ts";

/** One write, in its process's own time. */
interface Span {
  readonly beginsAt: number;
  readonly endsAt: number;
}

interface Write extends Span {
  /** Infinite until it is synced. */
  syncedAt: number;
  readonly undo: () => void;
}

/** Writes that are remembered before those that are safe are forgotten. */
const COUNT_MAX = 64;

/** How a process ended. */
export interface Crash {
  readonly now: number;
  readonly isPowerLost: boolean;
  readonly random: Prng;
}

export class WriteJournal {
  #writes: Write[] = [];

  /** Remembers a write; `isSynced` when it waits for the medium. */
  add(write: Span & { readonly isSynced: boolean; readonly undo: () => void }, now: number): void {
    const { beginsAt, endsAt, isSynced, undo } = write;
    if (this.#writes.length >= COUNT_MAX) {
      const first = this.#writes.findIndex((w) => w.syncedAt > now);
      this.#writes.splice(0, first < 0 ? this.#writes.length : first);
    }
    this.#writes.push({ beginsAt, endsAt, syncedAt: isSynced ? endsAt : Number.POSITIVE_INFINITY, undo });
  }

  /** Everything so far is safe once the moment `endsAt` has come. */
  sync(endsAt: number): void {
    for (const write of this.#writes) write.syncedAt = Math.min(write.syncedAt, endsAt);
  }

  /** Undoes what the crash took; returns how many writes that were. */
  crash({ now, isPowerLost, random }: Crash): number {
    const unended = this.#writes.findIndex((w) => w.endsAt > now);
    const ended = unended < 0 ? this.#writes.length : unended;
    // The write under way may have reached the medium though nobody was told.
    const isUnderWay = (this.#writes[unended]?.beginsAt ?? now) < now;
    const most = ended + (isUnderWay && happens(random, 0.5) ? 1 : 0);
    const least = isPowerLost ? this.#writes.findLastIndex((w, i) => i < ended && w.syncedAt <= now) + 1 : ended;
    const lost = this.#writes.slice(wholeWithin(random, [least, most]));
    for (const write of lost.toReversed()) write.undo();
    this.#writes = [];
    return lost.length;
  }
}
