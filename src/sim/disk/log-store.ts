/**
 * The log store over a fake disk: the framing, checksums and recovery decisions of
 * core/raft over records that a crash may lose and a disk may damage. A write is one
 * transaction and keeps its process busy until it has ended.
 */
import { assert } from "../../base/assert.ts";
import type { LogIndex, Term } from "../../base/brand.ts";
import { logIndex, term } from "../../base/brand.ts";
import { compareNumber } from "../../base/compare.ts";
import type { Result } from "../../base/result.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { EMPTY_LOG, lastTerm } from "../../core/raft/log.ts";
import { encodeMembership, UNJOINED } from "../../core/raft/membership.ts";
import type { Entry, HardState, MemberId, Membership, SnapshotMeta } from "../../core/raft/raft-types.ts";
import {
  decodeEntry,
  decodeIdentity,
  decodeState,
  decodeStores,
  encodeEntry,
  encodeIdentity,
  encodeState,
  encodeStores,
} from "../../core/raft/record.ts";
import { recoverLog } from "../../core/raft/recovery.ts";
import { afterAppend, afterCompaction, afterInstall, afterTruncation } from "../../core/raft/stored-log.ts";
import type { LogChange, LogStore, StoredLog } from "../../ports/log-store.ts";
import type { PeerIdentity } from "../../ports/peer-link.ts";
import type { SimProcess } from "../world/process.ts";
import type { MetaRecord, SimDisk } from "./disk.ts";

/** Is told which entries were written, and the term of the one before them. */
export type StoreWatcher = (entries: readonly Entry[], prevTerm: Term) => void;

/** Where a store lies, and who watches it. */
export interface StorePlace {
  readonly disk: SimDisk;
  readonly process: SimProcess;
  readonly onWrite?: StoreWatcher;
}

const FIRST_TERM = term(1);
const NOTHING_STORED: StoredLog = {
  hardState: { term: term(0), votedFor: undefined, commit: logIndex(0) },
  shape: EMPTY_LOG,
  memberships: [UNJOINED],
};

/** Returns whether the disk holds a log. */
export const hasLog = (disk: SimDisk): boolean => disk.meta.size > 0;

/** Makes the log of a member that waits to join, or of a new cluster when `founders` are given. */
export function createLog(disk: SimDisk, identity: PeerIdentity, founders?: Membership): void {
  let stored = NOTHING_STORED;
  if (founders !== undefined) {
    const first: Entry = {
      index: logIndex(1),
      term: FIRST_TERM,
      kind: "membership",
      data: encodeMembership(founders),
    };
    stored = { ...afterAppend(stored, [first]), hardState: { ...stored.hardState, term: FIRST_TERM } };
    disk.entries.set(first.index, encodeEntry(first));
  }
  disk.meta.set("identity", encodeIdentity(identity));
  disk.meta.set("stores", encodeStores(new Map()));
  disk.meta.set("state", stateRecord(stored));
}

/** Opens the log on a disk. @throws LatticeError CORRUPT_LOG when it cannot be trusted. */
export function openLog(place: StorePlace, self: MemberId): SimLogStore {
  const { disk } = place;
  const identity = trust(decodeIdentity(metaOf(disk, "identity")));
  const stores = trust(decodeStores(metaOf(disk, "stores")));
  const records = [...disk.entries]
    .toSorted(([a], [b]) => compareNumber(a, b))
    .map(([index, record]) => ({ index, record }));
  const { damage, ...stored } = trust(recoverLog(self, trust(decodeState(metaOf(disk, "state"))), records));
  const store = new SimLogStore(place, { identity, stores, stored });
  if (damage) store.cut(damage.from, damage.defect);
  return store;
}

/** One open log. */
export class SimLogStore implements LogStore {
  damage?: string;
  readonly #place: StorePlace;
  #identity: PeerIdentity;
  #stores: ReadonlyMap<MemberId, string>;
  #stored: StoredLog;
  #failure: LatticeError | undefined;

  constructor(
    place: StorePlace,
    found: {
      readonly identity: PeerIdentity;
      readonly stores: ReadonlyMap<MemberId, string>;
      readonly stored: StoredLog;
    },
  ) {
    this.#place = place;
    this.#identity = found.identity;
    this.#stores = found.stores;
    this.#stored = found.stored;
  }

  get identity(): PeerIdentity {
    return this.#identity;
  }

  get knownStores(): ReadonlyMap<MemberId, string> {
    return this.#stores;
  }

  load(): StoredLog {
    return this.#stored;
  }

  read(from: LogIndex, countMax: number): readonly Entry[] {
    const { shape } = this.#stored;
    assert(from > shape.compactedIndex, `entry ${from} is compacted, so it cannot be read`);
    const count = Math.max(0, Math.min(countMax, shape.lastIndex - from + 1));
    return Array.from({ length: count }, (_, i) => {
      const index = logIndex(from + i);
      return trust(decodeEntry(this.#place.disk.entries.get(index) ?? new Uint8Array(), index));
    });
  }

  persist({ hardState, truncateFrom, entries }: LogChange): void {
    const kept = truncateFrom === undefined ? this.#stored : afterTruncation(this.#stored, truncateFrom);
    const next = afterAppend(kept, entries);
    const dropped = this.#range(kept.shape.lastIndex + 1, this.#stored.shape.lastIndex);
    const put = new Map(entries.map((e) => [Number(e.index), encodeEntry(e)]));
    this.#write({ ...next, hardState: hardState ?? next.hardState }, { dropped, put });
    if (entries.length > 0) this.#place.onWrite?.(entries, lastTerm(kept.shape));
  }

  installSnapshot(hardState: HardState, snapshot: SnapshotMeta): void {
    this.#write(afterInstall(hardState, snapshot), { dropped: [...this.#place.disk.entries.keys()] });
  }

  compact(index: LogIndex): void {
    const dropped = this.#range(this.#stored.shape.compactedIndex + 1, index);
    this.#write(afterCompaction(this.#stored, index), { dropped });
  }

  adopt(clusterId: string): void {
    const own = this.#identity.clusterId;
    if (own === clusterId) return;
    assert(own === "", `this store belongs to cluster ${own} already`);
    const identity = { ...this.#identity, clusterId };
    this.#write(this.#stored, { meta: ["identity", encodeIdentity(identity)] });
    this.#identity = identity;
  }

  rememberStore(id: MemberId, storeId: string): void {
    if (this.#stores.get(id) === storeId) return;
    const stores = new Map(this.#stores).set(id, storeId);
    this.#write(this.#stored, { meta: ["stores", encodeStores(stores)] });
    this.#stores = stores;
  }

  /** Drops what recovery gave up. */
  cut(from: LogIndex, defect: string): void {
    this.damage = defect;
    const { compactedIndex } = this.#stored.shape;
    const dropped = [...this.#place.disk.entries.keys()].filter((index) => index >= from || index <= compactedIndex);
    this.#write(this.#stored, { dropped });
  }

  close(): void {
    this.#failure ??= new LatticeError(fault("INTERNAL", "the log is closed"));
  }

  #range(first: number, last: number): readonly number[] {
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  }

  #write(
    next: StoredLog,
    change: {
      readonly dropped?: readonly number[];
      readonly put?: ReadonlyMap<number, Uint8Array>;
      readonly meta?: readonly [MetaRecord, Uint8Array];
    },
  ): void {
    const { disk, process } = this.#place;
    if (this.#failure) throw this.#failure;
    const failure = disk.failure;
    if (failure !== undefined) {
      this.#failure = new LatticeError(fault("INTERNAL", failure));
      throw this.#failure;
    }
    const { dropped = [], put = new Map<number, Uint8Array>(), meta } = change;
    const before = [...dropped, ...put.keys()].map((index) => [index, disk.entries.get(index)] as const);
    const metaBefore = new Map(disk.meta);
    for (const index of dropped) disk.entries.delete(index);
    for (const [index, record] of put) disk.entries.set(index, record);
    if (meta) disk.meta.set(meta[0], meta[1]);
    disk.meta.set("state", stateRecord(next));
    this.#stored = next;
    const undo = (): void => {
      for (const [index] of before) disk.entries.delete(index);
      for (const [index, record] of before) if (record) disk.entries.set(index, record);
      for (const [name, record] of metaBefore) disk.meta.set(name, record);
    };
    const beginsAt = process.localNow;
    const endsAt = process.spend(disk.syncMs);
    disk.logWrites.add({ beginsAt, endsAt, isSynced: true, undo }, process.world.now);
    const tell = disk.onNextWrite;
    disk.onNextWrite = undefined;
    tell?.(endsAt);
  }
}

function stateRecord({ hardState, shape, memberships }: StoredLog): Uint8Array {
  const { compactedIndex, compactedTerm, lastIndex } = shape;
  return encodeState({ hardState, compactedIndex, compactedTerm, lastIndex, membership: memberships[0] ?? UNJOINED });
}

const metaOf = (disk: SimDisk, name: MetaRecord): Uint8Array => disk.meta.get(name) ?? new Uint8Array();

function trust<T>(result: Result<T, string>): T {
  if (!result.ok) throw new LatticeError(fault("CORRUPT_LOG", result.error));
  return result.value;
}
