/**
 * The disk of one server: the records of its log, the rows of its state, snapshots that
 * have arrived. It outlives the process; a crash undoes what had not reached it. Records
 * can be damaged while the process is down.
 */
import type { Prng } from "../../base/prng.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";
import type { DiskFaults } from "../faults.ts";
import { happens, pick, within } from "../world/chance.ts";
import { WriteJournal } from "./write-journal.ts";

/** Names of the records of a log that are not entries. */
export type MetaRecord = "identity" | "state" | "stores";

/** A snapshot that has arrived whole. */
export interface StagedSnapshot {
  readonly meta: SnapshotMeta;
  readonly rows: readonly Row[];
}

/** Of the damage, that to the record without which no log can be used. */
const STATE_DAMAGE_RATE = 0.1;

/** One disk. */
export class SimDisk {
  readonly entries = new Map<number, Uint8Array>();
  readonly meta = new Map<MetaRecord, Uint8Array>();
  readonly logWrites = new WriteJournal();
  /** Rows of the state by `table/id`, archived ones included. */
  readonly rows = new Map<string, Row>();
  applied: SnapshotMeta;
  readonly stateWrites = new WriteJournal();
  readonly staged = new Map<string, StagedSnapshot>();
  readonly stagedWrites = new WriteJournal();
  /** What it may do; the run gives it others when its faults end. */
  faults: DiskFaults;
  isSlow = false;
  isFull = false;
  /** Is told once when the next write to the log begins, and when it will end. */
  onNextWrite: ((endsAt: number) => void) | undefined;
  readonly #random: Prng;
  readonly #first: SnapshotMeta;

  constructor(random: Prng, faults: DiskFaults, first: SnapshotMeta) {
    this.#random = random;
    this.faults = faults;
    this.#first = first;
    this.applied = first;
  }

  /** How long the next write takes that waits for the medium. */
  get syncMs(): number {
    return within(this.#random, this.isSlow ? this.faults.slowWriteMs : this.faults.writeMs);
  }

  /** Why the next write fails, or undefined. */
  get failure(): string | undefined {
    if (this.isFull) return "no space left on device";
    return happens(this.#random, this.faults.failRate) ? "input/output error" : undefined;
  }

  /** The process dies, and power may fail; returns how many writes are gone. */
  crash(now: number, isPowerLost: boolean): number {
    const crash = { now, isPowerLost, random: this.#random };
    return [this.logWrites, this.stateWrites, this.stagedWrites].reduce(
      (sum, journal) => sum + journal.crash(crash),
      0,
    );
  }

  /** Damages one record of the log; returns what was done, or undefined when there is none. */
  damage(): string | undefined {
    const state = this.meta.get("state");
    if (state !== undefined && happens(this.#random, STATE_DAMAGE_RATE)) {
      this.meta.set("state", flipped(this.#random, state));
      return "flip the state record";
    }
    const at = pick(this.#random, [...this.entries.keys()]);
    const record = at === undefined ? undefined : this.entries.get(at);
    if (at === undefined || record === undefined) return undefined;
    const kind = pick(this.#random, ["flip", "tear", "misplace", "lose"] as const);
    if (kind === "flip") this.entries.set(at, flipped(this.#random, record));
    else if (kind === "tear") this.entries.set(at, record.slice(0, Math.floor(this.#random() * record.length)));
    else if (kind === "lose") this.entries.delete(at);
    else {
      const other = pick(
        this.#random,
        [...this.entries.keys()].filter((index) => index !== at),
      );
      const foreign = other === undefined ? undefined : this.entries.get(other);
      if (foreign === undefined) return undefined;
      this.entries.set(at, foreign);
    }
    return `${kind} entry ${at}`;
  }

  /** Loses everything. */
  wipe(): void {
    this.entries.clear();
    this.meta.clear();
    this.staged.clear();
    this.rows.clear();
    this.applied = this.#first;
  }
}

function flipped(random: Prng, record: Uint8Array): Uint8Array {
  const copy = record.slice();
  const at = Math.floor(random() * copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  return copy;
}
