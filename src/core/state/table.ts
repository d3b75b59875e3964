/**
 * A table of immutable records, owned by the apply loop. It remembers which rows changed
 * since they were last taken (for the mirror on disk) and keeps a hash over all rows,
 * so that equal states have equal hashes whatever way they came about.
 */
import { canonicalEncode } from "../../base/canonical-encode.ts";
import type { Hash64 } from "../../base/hash.ts";
import { addHash, EMPTY_HASH, hashText, subtractHash } from "../../base/hash.ts";

/** A row on its way to or from the mirror. */
export interface Row {
  readonly table: string;
  readonly id: string;
  /** Canonical text of the record; undefined when the row is gone. */
  readonly text: string | undefined;
  /** False once archived: on disk only. */
  readonly isLive: boolean;
}

/** Returns the hash of a row; the sum over the live rows is the state's. A record need not hold its own id, so that the hash must. */
export const rowHash = (table: string, id: string, text: string): Hash64 => hashText(`${table}/${id} ${text}`);

export class Table<K extends string, R> {
  readonly #records = new Map<K, R>();
  readonly #hashes = new Map<K, Hash64>();
  /** The rows that changed since they were last taken; undefined when gone. */
  readonly #changes = new Map<K, R | undefined>();
  /** The texts of those archived since they were last taken. */
  readonly #archived = new Map<K, string>();
  /** Rows whose hash is not yet part of the sum. */
  readonly #unhashed = new Set<K>();
  #hash = EMPTY_HASH;

  constructor(readonly name: string) {}

  get size(): number {
    return this.#records.size;
  }

  /** Returns the live record, or undefined. */
  get(id: K): R | undefined {
    return this.#records.get(id);
  }

  has(id: K): boolean {
    return this.#records.has(id);
  }

  /** Walks the live records, in no meaningful order. */
  values(): IterableIterator<R> {
    return this.#records.values();
  }

  /** Walks the ids of the live records, in no meaningful order. */
  keys(): IterableIterator<K> {
    return this.#records.keys();
  }

  /** Walks ids and live records, in no meaningful order. */
  entries(): IterableIterator<[K, R]> {
    return this.#records.entries();
  }

  put(id: K, record: R): void {
    this.#records.set(id, record);
    this.#changes.set(id, record);
    this.#unhashed.add(id);
  }

  delete(id: K): void {
    if (!this.#records.delete(id)) return;
    this.#changes.set(id, undefined);
    this.#rehash(id, undefined);
  }

  /** Drops a record from memory; its row stays on disk. Returns the hash that the archive's sum takes over. */
  archive(id: K): Hash64 {
    const record = this.#records.get(id);
    if (record === undefined) return EMPTY_HASH;
    const text = canonicalEncode(record);
    this.#records.delete(id);
    this.#changes.delete(id);
    this.#archived.set(id, text);
    this.#rehash(id, undefined);
    return this.#hashOf(id, text);
  }

  /** Drops an archived row from disk too. */
  dropArchived(id: K): void {
    this.#archived.delete(id);
    this.#changes.set(id, undefined);
  }

  /** Puts a row read from the mirror or a snapshot; it does not count as changed. */
  restore(id: K, text: string): R {
    const record: R = JSON.parse(text);
    const hash = this.#hashOf(id, text);
    this.#records.set(id, record);
    this.#hashes.set(id, hash);
    this.#hash = addHash(this.#hash, hash);
    return record;
  }

  /** Returns the hash over all live rows. */
  hash(): Hash64 {
    for (const id of this.#unhashed) this.#rehash(id, canonicalEncode(this.#records.get(id)));
    return this.#hash;
  }

  /** Walks the rows that changed, the archived ones first; each counts as taken once it has come. */
  *takeChanges(): IterableIterator<Row> {
    yield* this.takeArchived();
    for (const [id, record] of this.#changes) {
      const text = record === undefined ? undefined : canonicalEncode(record);
      if (this.#unhashed.has(id)) this.#rehash(id, text);
      this.#changes.delete(id);
      yield { table: this.name, id, text, isLive: text !== undefined };
    }
  }

  /** Walks the rows that were archived; each counts as taken once it has come. */
  *takeArchived(): IterableIterator<Row> {
    for (const [id, text] of this.#archived) {
      this.#archived.delete(id);
      yield { table: this.name, id, text, isLive: false };
    }
  }

  /** Walks every live record as a row. */
  *rows(): IterableIterator<Row> {
    for (const [id, record] of this.#records) {
      yield { table: this.name, id, text: canonicalEncode(record), isLive: true };
    }
  }

  #hashOf(id: K, text: string): Hash64 {
    return rowHash(this.name, id, text);
  }

  #rehash(id: K, text: string | undefined): void {
    const before = this.#hashes.get(id);
    if (before) this.#hash = subtractHash(this.#hash, before);
    if (text === undefined) {
      this.#hashes.delete(id);
    } else {
      const hash = this.#hashOf(id, text);
      this.#hashes.set(id, hash);
      this.#hash = addHash(this.#hash, hash);
    }
    this.#unhashed.delete(id);
  }
}
