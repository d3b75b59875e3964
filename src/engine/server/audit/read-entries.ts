/** Reading audit entries one by one: the latest from memory, older ones from disk. */
import type { AuditEntry } from "../../../core/audit/entry.ts";
import { entryId } from "../../../core/audit/entry.ts";
import { LatticeError } from "../../../core/domain/errors.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { Replica } from "../replica.ts";

/** Entries between two turns of the loop: some milliseconds of reading, or tens of verifying. */
export const SLICE = 200;

/** An entry, or why it cannot be read. */
export type ReadEntry = { readonly entry: AuditEntry } | { readonly entry: undefined; readonly why: string };

/** Returns an entry that is not in an archive. */
export function readEntry({ state, mirror }: Pick<Replica, "state" | "mirror">, sequence: number): ReadEntry {
  const live = state.tables.audit.get(entryId(sequence));
  if (live) return { entry: live };
  try {
    const text = mirror.find("audit", entryId(sequence));
    return text === undefined ? { entry: undefined, why: "it is missing" } : { entry: JSON.parse(text) };
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    return { entry: undefined, why: error.fault.message };
  }
}

/** Lets everything else have a turn. */
export const nextTurn = (clock: Clock): Promise<void> => new Promise((resolve) => clock.after(0, resolve));
