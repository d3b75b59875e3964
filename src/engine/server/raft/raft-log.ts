/**
 * The log as the driver handles it: the store, and before it the youngest entries in
 * memory, from which appends and commits are served while a write is under way. What was
 * decided goes into memory at once and into the store with the next write.
 */
import type { LogIndex } from "../../../base/brand.ts";
import { logIndex } from "../../../base/brand.ts";
import type { Entry, HardState, RaftEffect, SnapshotMeta } from "../../../core/raft/raft-types.ts";
import type { LogChange, LogStore } from "../../../ports/log-store.ts";

/** A decided write. */
export type PersistEffect = RaftEffect & { readonly kind: "persist" };

/** Entries read from the store at once. */
const READ_COUNT_MAX = 512;
/** Slots at the front of the list that may be empty before it is moved. */
const HOLES_MAX = 4096;

/** Bytes of an entry in memory, about: small ones cost more than their data. */
const weightOf = (entry: Entry): number => entry.data.length + 100;

export class RaftLog {
  readonly #store: LogStore;
  readonly #bytesMax: number;
  /** Consecutive; those before #head are gone. */
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  /** The end of the log in the store. */
  #stored: LogIndex;

  constructor(store: LogStore, bytesMax: number) {
    this.#store = store;
    this.#bytesMax = bytesMax;
    this.#stored = store.load().shape.lastIndex;
  }

  /** Takes in a decided write; the entries are at hand from here on. */
  decide({ truncateFrom, entries }: PersistEffect): void {
    if (truncateFrom !== undefined) this.#truncate(truncateFrom);
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += weightOf(entry);
    }
  }

  /** Writes everything that these effects say at once. @throws LatticeError of the store. */
  persist(effects: readonly PersistEffect[]): void {
    const change = mergeChanges(effects);
    this.#store.persist(change);
    if (change.truncateFrom !== undefined) this.#stored = logIndex(Math.min(this.#stored, change.truncateFrom - 1));
    this.#stored = change.entries.at(-1)?.index ?? this.#stored;
    this.#evict();
  }

  /** Replaces the log by the snapshot that it begins after. @throws LatticeError of the store. */
  install(hardState: HardState, snapshot: SnapshotMeta): void {
    this.#store.installSnapshot(hardState, snapshot);
    this.#stored = snapshot.index;
  }

  /** The log is decided to begin after a snapshot: what is in memory belongs to another one. */
  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /**
   * Returns entries from `first` on, in order, at least one: up to `last`, to about
   * `bytesMax`, or as many as are read at once. @throws LatticeError of the store.
   */
  read(first: LogIndex, last: LogIndex, bytesMax: number): readonly Entry[] {
    const oldest = this.#entries[this.#head]?.index;
    if (oldest === undefined || first < oldest) {
      const end = Math.min(last, (oldest ?? Number.MAX_SAFE_INTEGER) - 1);
      return cutToBytes(this.#store.read(first, Math.min(READ_COUNT_MAX, end - first + 1)), bytesMax);
    }
    const found: Entry[] = [];
    let bytes = 0;
    for (let i = this.#head + first - oldest; i <= this.#head + last - oldest; i++) {
      const entry = this.#entries[i];
      if (!entry) break;
      bytes += entry.data.length;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  #truncate(from: LogIndex): void {
    for (let last = this.#entries.at(-1); last && last.index >= from; last = this.#entries.at(-1)) {
      this.#entries.pop();
      this.#bytes -= weightOf(last);
    }
    if (this.#entries.length <= this.#head) this.clear();
  }

  /** Forgets the oldest that are stored, as far as memory is short. */
  #evict(): void {
    while (this.#bytes > this.#bytesMax) {
      const oldest = this.#entries[this.#head];
      if (!oldest || oldest.index > this.#stored) break;
      this.#entries[this.#head] = undefined;
      this.#head += 1;
      this.#bytes -= weightOf(oldest);
    }
    if (this.#head < HOLES_MAX && this.#head < this.#entries.length) return;
    this.#entries.splice(0, this.#head);
    this.#head = 0;
  }
}

/** Returns one change that leaves what these leave, one after the other. */
export function mergeChanges(changes: readonly LogChange[]): LogChange {
  let hardState: HardState | undefined;
  let truncateFrom: LogIndex | undefined;
  let entries: Entry[] = [];
  for (const change of changes) {
    hardState = change.hardState ?? hardState;
    const cut = change.truncateFrom;
    if (cut !== undefined) {
      entries = entries.filter((e) => e.index < cut);
      // With entries left, whatever the store itself holds ends before them.
      if (entries.length === 0) truncateFrom = logIndex(Math.min(truncateFrom ?? cut, cut));
    }
    entries.push(...change.entries);
  }
  return { hardState, truncateFrom, entries };
}

function cutToBytes(entries: readonly Entry[], bytesMax: number): readonly Entry[] {
  let bytes = 0;
  const end = entries.findIndex((entry, i) => {
    bytes += entry.data.length;
    return i > 0 && bytes > bytesMax;
  });
  return end < 0 ? entries : entries.slice(0, end);
}
