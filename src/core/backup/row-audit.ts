/**
 * Counts and hashes rows as they go into a backup or come out of one, so that what is
 * read back can be compared with what was there: the hash of the live rows is the state's
 * hash, and the meta row among them names the hash of the archived ones.
 */
import { canonicalEncode } from "../../base/canonical-encode.ts";
import { addHash, EMPTY_HASH, hashHex } from "../../base/hash.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";
import type { Meta } from "../state/state.ts";
import { META_ID } from "../state/state.ts";
import type { Row } from "../state/table.ts";
import { rowHash } from "../state/table.ts";
import type { BackupManifest } from "./manifest.ts";

/** What the manifest of a backup says of its rows. */
export type RowFacts = Pick<BackupManifest, "stateHash" | "counts" | "archivedCount" | "restoreEpoch">;

/** Sees each row once; made for one pass. */
export class RowAudit {
  readonly #counts = new Map<string, number>();
  #live = EMPTY_HASH;
  #archived = EMPTY_HASH;
  #archivedCount = 0;
  #meta: Meta | undefined;

  add({ table, id, text = "", isLive }: Row): void {
    this.#counts.set(table, (this.#counts.get(table) ?? 0) + 1);
    const hash = rowHash(table, id, text);
    if (isLive) {
      this.#live = addHash(this.#live, hash);
      if (table === "meta" && id === META_ID) this.#meta = JSON.parse(text);
    } else {
      this.#archived = addHash(this.#archived, hash);
      this.#archivedCount += 1;
    }
  }

  /** Returns what the rows add up to, or why they are no state. */
  finish(): Result<RowFacts, string> {
    const meta = this.#meta;
    if (meta === undefined) return err("the row that describes the cluster is missing");
    if (meta.archivedCount !== this.#archivedCount || hashHex(meta.archivedHash) !== hashHex(this.#archived)) {
      return err(`the archived rows are not those of the state: ${this.#archivedCount} of ${meta.archivedCount}`);
    }
    return ok({
      stateHash: hashHex(this.#live),
      counts: Object.fromEntries(this.#counts),
      archivedCount: this.#archivedCount,
      restoreEpoch: meta.restoreEpoch,
    });
  }
}

/** Returns what differs between the rows of a backup and its manifest, or undefined. */
export function findDifference(found: RowFacts, manifest: BackupManifest): string | undefined {
  if (found.stateHash !== manifest.stateHash) {
    return `the rows have the state hash ${found.stateHash}, the manifest says ${manifest.stateHash}`;
  }
  if (canonicalEncode(found.counts) !== canonicalEncode(manifest.counts)) {
    return "the rows are not as many as the manifest says";
  }
  return undefined;
}
