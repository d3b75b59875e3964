/**
 * The state on a fake disk, written by a fake worker: what was asked for is on disk a
 * moment later, in order, and found meanwhile. What was written may be lost, newest first,
 * when power fails before it was synced; the log fills it in again.
 */
import type { Prng } from "../../base/prng.ts";
import type { Allocation } from "../../core/domain/allocation.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";
import type { ReceivedSnapshot } from "../../ports/peer-link.ts";
import type { HistoryQuery, StateMirror } from "../../ports/state-mirror.ts";
import type { Span } from "../world/chance.ts";
import { within } from "../world/chance.ts";
import type { SimProcess } from "../world/process.ts";
import type { SimDisk } from "./disk.ts";

/** Until the worker has done what it was asked for. */
const WORKER_MS: Span = [0.2, 15];
const WITH_SHORT_IDS = ["allocations", "taskGroups", "dags"];

const keyOf = ({ table, id }: Pick<Row, "table" | "id">): string => `${table}/${id}`;

/** The state of one server. */
export class SimStateMirror implements StateMirror {
  readonly #disk: SimDisk;
  readonly #process: SimProcess;
  readonly #random: Prng;
  /** Rows that the next write takes along. */
  #staged: Row[] = [];
  /** Those of writes that are not on disk yet, oldest first. */
  #writing: (readonly Row[])[] = [];
  #applied: SnapshotMeta;
  #last: Promise<void> = Promise.resolve();

  constructor(disk: SimDisk, process: SimProcess) {
    this.#disk = disk;
    this.#process = process;
    this.#random = process.world.random(`mirror of ${process.name}/${process.life}`);
    this.#applied = disk.applied;
  }

  applied(): SnapshotMeta {
    return this.#applied;
  }

  *liveRows(): Iterable<Row> {
    for (const row of this.#disk.rows.values()) if (row.isLive) yield row;
  }

  stage(rows: readonly Row[]): void {
    this.#staged.push(...rows);
  }

  write(rows: readonly Row[], applied: SnapshotMeta): Promise<void> {
    this.stage(rows);
    this.#applied = applied;
    const batch = this.#staged;
    this.#staged = [];
    this.#writing.push(batch);
    return this.#work(() => {
      this.#change(batch, applied);
      this.#writing = this.#writing.filter((other) => other !== batch);
    });
  }

  replace({ path }: ReceivedSnapshot): Promise<void> {
    return this.#work(() => {
      this.replaceNow(path);
      this.#staged = [];
      this.#writing = [];
    });
  }

  /** The same at once, for a start that finishes what a crash interrupted. */
  replaceNow(path: string): void {
    const staged = this.#disk.staged.get(path);
    if (staged === undefined) throw new LatticeError(fault("CORRUPT_LOG", `there is no snapshot ${path}`));
    const fresh = new Set(staged.rows.map(keyOf));
    const gone = [...this.#disk.rows.values()].filter((row) => !fresh.has(keyOf(row)));
    this.#change([...gone.map((row) => ({ ...row, text: undefined, isLive: false })), ...staged.rows], staged.meta);
    this.#applied = staged.meta;
    this.#disk.stateWrites.sync(this.#process.world.now);
  }

  sync(): Promise<void> {
    return this.#work(() => this.#disk.stateWrites.sync(this.#process.world.now), this.#disk.syncMs);
  }

  find(table: string, id: string): string | undefined {
    const key = keyOf({ table, id });
    const unwritten = this.#unwritten.findLast((row) => keyOf(row) === key);
    return (unwritten ?? this.#disk.rows.get(key))?.text;
  }

  findByShortId(shortId: number): { readonly table: string; readonly id: string } | undefined {
    return this.#named().find(({ text = "" }) => JSON.parse(text).shortId === shortId);
  }

  findByPrefix(prefix: string, limit: number): readonly { readonly table: string; readonly id: string }[] {
    return this.#named()
      .filter(({ id }) => id.startsWith(prefix))
      .slice(0, limit);
  }

  archivedAllocations(query: HistoryQuery): readonly string[] {
    const archived = this.#rows().filter((row) => row.table === "allocations" && !row.isLive);
    const found = archived.flatMap(({ text }) => text ?? []).map((text) => ({ text, record: parse(text) }));
    return found
      .filter(({ record }) => matches(record, query))
      .toSorted((a, b) => b.record.shortId - a.record.shortId)
      .slice(0, query.limit)
      .map(({ text }) => text);
  }

  close(): Promise<void> {
    return this.#last.catch(() => {});
  }

  get #unwritten(): readonly Row[] {
    return [...this.#writing.flat(), ...this.#staged];
  }

  #rows(): readonly Row[] {
    const unwritten = this.#unwritten;
    if (unwritten.length === 0) return [...this.#disk.rows.values()];
    const rows = new Map(this.#disk.rows);
    for (const row of unwritten) rows.set(keyOf(row), row);
    return [...rows.values()];
  }

  #named(): readonly Row[] {
    return this.#rows().filter(({ table, text }) => text !== undefined && WITH_SHORT_IDS.includes(table));
  }

  /** One thing after another; after a failure nothing more is done. */
  #work(act: () => void, lastsMs = within(this.#random, WORKER_MS)): Promise<void> {
    const { clock } = this.#process;
    const done = this.#last.then(() => new Promise<void>((resolve) => clock.after(lastsMs, resolve))).then(act);
    this.#last = done;
    // Who asked is told; who asks next is told again.
    done.catch(() => {});
    return done;
  }

  /** One transaction. */
  #change(rows: readonly Row[], applied: SnapshotMeta): void {
    const disk = this.#disk;
    if (disk.isFull) throw new LatticeError(fault("INTERNAL", "no space left on device"));
    const before = rows.map((row) => [keyOf(row), disk.rows.get(keyOf(row))] as const);
    const appliedBefore = disk.applied;
    for (const row of rows) {
      if (row.text === undefined) disk.rows.delete(keyOf(row));
      else disk.rows.set(keyOf(row), row);
    }
    disk.applied = applied;
    const undo = (): void => {
      for (const [key, row] of before.toReversed()) {
        if (row === undefined) disk.rows.delete(key);
        else disk.rows.set(key, row);
      }
      disk.applied = appliedBefore;
    };
    const { now } = this.#process.world;
    disk.stateWrites.add({ beginsAt: now, endsAt: now, isSynced: false, undo }, now);
  }
}

const parse = (text: string): Allocation => JSON.parse(text);

function matches({ spec, user, state, shortId, dag, task }: Allocation, query: HistoryQuery): boolean {
  const wanted = [
    [query.tenant, spec.tenant],
    [query.vcluster, spec.vcluster],
    [query.name, spec.name],
    [query.user, user],
    [query.dag, dag],
    [query.group, task?.group],
  ] as const;
  const { states = [], beforeShortId = Number.POSITIVE_INFINITY } = query;
  const isOfState = states.length === 0 || states.includes(state);
  return isOfState && shortId < beforeShortId && wanted.every(([asked, is]) => asked === undefined || asked === is);
}
