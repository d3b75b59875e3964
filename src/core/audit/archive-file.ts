/**
 * The file of an archive: a line that says what it is and with which keys it is verified, then
 * one line for each entry. Nothing in it depends on when or where it was written, so that
 * an attempt that is repeated writes the same bytes.
 */
import { canonicalEncode } from "../../base/canonical-encode.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";
import type { AuditEntry, AuditKey } from "./entry.ts";

/** The version of the layout. */
const FORMAT = 1;

/** The first line. */
export interface ArchiveHeader {
  readonly format: number;
  readonly clusterId: string;
  readonly first: number;
  readonly last: number;
  /** Hash of the entry before the first. */
  readonly previous: string;
  readonly keys: readonly AuditKey[];
}

/** What a file holds. */
export interface ArchiveContent {
  readonly header: ArchiveHeader;
  readonly entries: readonly AuditEntry[];
}

/** Returns the name of the file of these entries; those after a restore do not meet the names of those before. */
export const archiveName = ({ epoch, first, last }: { epoch: number; first: number; last: number }): string =>
  `audit-${epoch}-${first}-${last}.jsonl`;

/** Returns the text of a file. */
export function encodeArchive(header: Omit<ArchiveHeader, "format">, entries: readonly AuditEntry[]): string {
  const lines = [{ ...header, format: FORMAT }, ...entries].map((line) => `${canonicalEncode(line)}\n`);
  return lines.join("");
}

/** Reads a file, or says why it is none. Whether its entries are true is for the ChainVerifier to find out. */
export function decodeArchive(text: string): Result<ArchiveContent, string> {
  const [first = "", ...rest] = text.split("\n");
  try {
    const header: ArchiveHeader = JSON.parse(first);
    if (header.format !== FORMAT) return err(`it has format version ${header.format}; this build reads ${FORMAT}`);
    const entries: AuditEntry[] = rest.filter((line) => line !== "").map((line) => JSON.parse(line));
    return ok({ header, entries });
  } catch {
    return err("it holds a line that is not JSON");
  }
}
