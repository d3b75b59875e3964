/**
 * What goes up from the log to the state: committed entries in order, each once, snapshots
 * in their place, and what the log may forget because the state holds it.
 */
import { assert } from "../../../base/assert.ts";
import type { LogIndex } from "../../../base/brand.ts";
import { logIndex } from "../../../base/brand.ts";
import type { RaftNode } from "../../../core/raft/node-state.ts";
import { membershipOf } from "../../../core/raft/node-state.ts";
import type { Entry } from "../../../core/raft/raft-types.ts";
import type { ReceivedSnapshot } from "../../../ports/peer-link.ts";
import type { RaftLog } from "./raft-log.ts";

/** Entries handed on in one turn while the state catches up. */
const COUNT_MAX = 4096;
const BYTES_MAX = 4 << 20;
/** Entries that make a compaction worth while by itself. */
const COMPACT_COUNT_MIN = 1024;

export class RaftDelivery {
  readonly #node: RaftNode;
  readonly #log: RaftLog;
  /** The end of what the state was handed. */
  #delivered = logIndex(0);
  #committed = logIndex(0);
  /** Everything up to here is in the state, durably. */
  #compactable = logIndex(0);
  /** The last snapshot that the state was given. */
  #installed: LogIndex | undefined;
  /** Those that have arrived and are not decided on, by their index. */
  readonly #arrived = new Map<LogIndex, ReceivedSnapshot>();

  constructor(node: RaftNode, log: RaftLog) {
    this.#node = node;
    this.#log = log;
  }

  /** The state holds everything up to `applied`. */
  start(applied: LogIndex): void {
    this.#delivered = applied;
    this.#committed = this.#node.commit;
  }

  onCommitted(index: LogIndex): void {
    this.#committed = index;
  }

  get isDone(): boolean {
    return this.#delivered >= this.#committed;
  }

  /** Hands on what is committed, as much as one turn may take. @throws LatticeError of the store. */
  deliver(handOn: (entries: readonly Entry[]) => void): void {
    for (let count = 0; !this.isDone && count < COUNT_MAX; ) {
      const entries = this.#log.read(logIndex(this.#delivered + 1), this.#committed, BYTES_MAX);
      const last = entries.at(-1);
      assert(last, `entry ${this.#delivered + 1} is committed and not in the log`);
      this.#delivered = last.index;
      count += entries.length;
      handOn(entries);
    }
  }

  onArrived(snapshot: ReceivedSnapshot): void {
    this.#arrived.set(snapshot.meta.index, snapshot);
  }

  /** Returns the snapshot up to `index` that nobody needs; not one that is being put in place, which lies there too. */
  onDiscarded(index: LogIndex): ReceivedSnapshot | undefined {
    const snapshot = this.#arrived.get(index);
    this.#arrived.delete(index);
    return index === this.#installed ? undefined : snapshot;
  }

  /** The log begins after the snapshot up to `index`: returns it. */
  onInstalled(index: LogIndex): ReceivedSnapshot {
    const snapshot = this.#arrived.get(index);
    assert(snapshot, `there is no snapshot up to entry ${index}`);
    this.#arrived.delete(index);
    this.#installed = index;
    this.#delivered = index;
    this.#committed = logIndex(Math.max(this.#committed, index));
    return snapshot;
  }

  onStateDurable(index: LogIndex): void {
    this.#compactable = logIndex(Math.max(this.#compactable, index));
  }

  /**
   * Returns up to where the log is to be forgotten, if that is worth while: what the state
   * holds, but for `keptMax` entries that members that lag may still ask for.
   */
  nextCompaction(keptMax: number): LogIndex | undefined {
    const node = this.#node;
    const others = membershipOf(node).members.filter((member) => member.id !== node.id);
    const wanted = Math.min(this.#compactable, node.commit);
    const slowest = others.reduce((least, { id }) => Math.min(least, node.peers.get(id)?.match ?? 0), wanted);
    const target = Math.max(slowest, wanted - keptMax);
    const gain = target - node.log.compactedIndex;
    const isWorthWhile = target === wanted || gain >= Math.min(COMPACT_COUNT_MIN, keptMax);
    return gain > 0 && isWorthWhile ? logIndex(target) : undefined;
  }
}
