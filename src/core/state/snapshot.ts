/**
 * The state as rows and back: what the mirror on disk holds and what a snapshot carries.
 * Rows come in any order; the indexes are rebuilt in an order that does not depend on it.
 */
import { compareNumber } from "../../base/compare.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";
import { isTerminal } from "../domain/lifecycle.ts";
import { indexVCluster } from "./handlers/tenants.ts";
import { indexAllocation, indexTaskGroup } from "./index-allocation.ts";
import { indexClaim } from "./sensitive-nodes.ts";
import type { State, Tables } from "./state.ts";
import { emptyState } from "./state.ts";
import type { Row } from "./table.ts";

/** Walks every live record of the state as a row. */
export function* encodeSnapshot(state: State): IterableIterator<Row> {
  for (const table of Object.values(state.tables)) yield* table.rows();
}

/** Rows, or records of an index, in one step of decoding: some milliseconds of work. */
const STEP = 250;

/** Returns the state that the live rows describe, or a sentence saying what is wrong with them. */
export function decodeSnapshot(rows: Iterable<Row>): Result<State, string> {
  const steps = decodeSnapshotInSteps(rows);
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

/** Does the same in steps, between which the caller may do something else. */
export function* decodeSnapshotInSteps(rows: Iterable<Row>): Generator<undefined, Result<State, string>> {
  const state = emptyState();
  let count = 0;
  for (const { table, id, text, isLive } of rows) {
    if (!isLive || text === undefined) continue;
    if (!isTableName(state.tables, table)) return err(`unknown table ${table}`);
    restore(state.tables, table, { id, text });
    if (++count % STEP === 0) yield;
  }
  yield* rebuildIndexes(state);
  return ok(state);
}

/**
 * Takes rows that changed, of all tables, until their texts have `charactersMax` or none
 * are left. Only when `isAll` the rows taken so far are the state of this moment.
 */
export function takeChanges(
  state: State,
  charactersMax: number = Number.POSITIVE_INFINITY,
): { readonly rows: readonly Row[]; readonly isAll: boolean } {
  const rows: Row[] = [];
  let characters = 0;
  for (const table of Object.values(state.tables)) {
    for (const row of table.takeChanges()) {
      rows.push(row);
      characters += row.text?.length ?? 0;
      if (characters >= charactersMax) return { rows, isAll: false };
    }
  }
  return { rows, isAll: true };
}

/** Takes the rows that were archived: memory no longer has them. */
export const takeArchived = (state: State): readonly Row[] =>
  Object.values(state.tables).flatMap((table) => [...table.takeArchived()]);

function isTableName(tables: Tables, name: string): name is keyof Tables {
  return Object.hasOwn(tables, name);
}

function restore(tables: Tables, name: keyof Tables, row: { readonly id: string; readonly text: string }): void {
  const table: { restore(id: string, text: string): unknown } = tables[name];
  table.restore(row.id, row.text);
}

/** Puts every record into the indexes, in the order in which the log did. */
function* rebuildIndexes(state: State): Generator<undefined, void> {
  const { tables } = state;
  for (const vcluster of tables.vclusters.values()) indexVCluster(state, vcluster);
  for (const node of tables.nodes.values()) indexClaim(state, node);
  for (const group of tables.taskGroups.values()) indexTaskGroup(state, group);
  const open = [...tables.allocations.values()].filter((a) => !isTerminal(a.state));
  const ended = [...tables.allocations.values()].filter((a) => isTerminal(a.state));
  open.sort((a, b) => compareNumber(a.shortId, b.shortId));
  ended.sort((a, b) => compareNumber(a.version, b.version) || compareNumber(a.shortId, b.shortId));
  let count = 0;
  for (const a of [...open, ...ended]) {
    indexAllocation(state, a);
    if (++count % STEP === 0) yield;
  }
}
