/**
 * Readers that wait for an index. Those at hand share one question to the core; a question
 * that fails, because leaders change, is asked again until the readers' time is up.
 */
import type { LogIndex } from "../../../base/brand.ts";
import type { Fault } from "../../../core/domain/errors.ts";
import { LatticeError } from "../../../core/domain/errors.ts";

const NO_LEADER: Fault = {
  reason: "NO_QUORUM",
  message: "no leader confirmed in time that the state here is up to date",
  next: "wait for the servers to elect a leader, or ask for a stale read",
  retryAfterMs: 500,
};

interface Reader {
  readonly resolve: (index: LogIndex) => void;
  readonly reject: (error: LatticeError) => void;
  /** In ticks. */
  readonly since: number;
}

export class RaftReads {
  /** Ticks that a reader waits at most. */
  readonly #patience: number;
  #waiting: Reader[] = [];
  /** By the ticket of their question. */
  readonly #asked = new Map<number, readonly Reader[]>();
  #ticket: number;
  /** The last question failed: none before the next tick or leader. */
  #isHeld = false;

  /** `firstTicket`: elsewhere than those of an earlier process, whose answers may still be under way. */
  constructor(patience: number, firstTicket: number) {
    this.#patience = patience;
    this.#ticket = firstTicket;
  }

  read(now: number): Promise<LogIndex> {
    const { promise, resolve, reject } = Promise.withResolvers<LogIndex>();
    this.#waiting.push({ resolve, reject, since: now });
    return promise;
  }

  /** Returns the ticket of a question for everybody who waits; undefined when there is nothing to ask. */
  takeQuestion(): number | undefined {
    if (this.#waiting.length === 0 || this.#isHeld) return undefined;
    this.#ticket += 1;
    this.#asked.set(this.#ticket, this.#waiting.splice(0));
    return this.#ticket;
  }

  onReady(ticket: number, index: LogIndex): void {
    for (const reader of this.#take(ticket)) reader.resolve(index);
  }

  onFailed(ticket: number): void {
    this.#waiting.unshift(...this.#take(ticket));
    this.#isHeld = true;
  }

  onLeader(): void {
    this.#isHeld = false;
  }

  /** Time has passed: gives up what waited too long. */
  onTick(now: number): void {
    this.#isHeld = false;
    const isLate = (reader: Reader): boolean => now - reader.since >= this.#patience;
    for (const [ticket, readers] of this.#asked) {
      if (!readers.some(isLate)) break;
      this.#asked.delete(ticket);
      this.#waiting.unshift(...readers);
    }
    if (!this.#waiting.some(isLate)) return;
    const late = this.#waiting.filter(isLate);
    this.#waiting = this.#waiting.filter((reader) => !isLate(reader));
    for (const reader of late) reader.reject(new LatticeError(NO_LEADER));
  }

  end(cause: Fault): void {
    const all = [...this.#asked.values(), this.#waiting].flat();
    this.#asked.clear();
    this.#waiting = [];
    for (const reader of all) reader.reject(new LatticeError(cause));
  }

  #take(ticket: number): readonly Reader[] {
    const readers = this.#asked.get(ticket) ?? [];
    this.#asked.delete(ticket);
    return readers;
  }
}
