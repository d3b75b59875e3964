/**
 * Reads a backup file from end to end and checks all of it: the seal over its bytes, each
 * member against the manifest, the rows against the state hash.
 */
import { createHash } from "node:crypto";
import type { BackupManifest } from "../../core/backup/manifest.ts";
import { decodeManifest, MANIFEST_MEMBER } from "../../core/backup/manifest.ts";
import { findDifference, RowAudit } from "../../core/backup/row-audit.ts";
import type { Row } from "../../core/state/table.ts";
import { ArchiveDamage, readArchive } from "./archive-reader.ts";
import { backupError } from "./backup-error.ts";
import { findBrokenSeal } from "./seal.ts";

/** A backup that is whole, or what is wrong with it. */
export type Unpacked =
  | { readonly isValid: true; readonly manifest: BackupManifest }
  | { readonly isValid: false; readonly problem: string };

/** Checks the backup at `path`, handing each row to `onRow`, which must not trust it before this returns. */
export async function unpackBackup(path: string, onRow: (row: Row) => void = () => {}): Promise<Unpacked> {
  try {
    const seal = findBrokenSeal(path);
    const problem = await findProblem(path, onRow);
    if (typeof problem !== "string") {
      return seal === undefined ? { isValid: true, manifest: problem } : { isValid: false, problem: seal };
    }
    return { isValid: false, problem: seal === undefined ? problem : `${seal}; ${problem}` };
  } catch (error) {
    throw backupError(`read ${path}`, error);
  }
}

/** Returns the manifest that everything agrees with, or what is wrong. */
async function findProblem(path: string, onRow: (row: Row) => void): Promise<BackupManifest | string> {
  const audit = new RowAudit();
  const seen = new Map<string, string>();
  let manifest: BackupManifest | undefined;
  try {
    for await (const { name, content } of readArchive(path)) {
      if (manifest !== undefined) return `member ${name} follows the manifest`;
      if (name === MANIFEST_MEMBER) {
        const decoded = decodeManifest(content.toString());
        if (!decoded.ok) return decoded.error;
        manifest = decoded.value;
      } else {
        seen.set(name, createHash("sha256").update(content).digest("hex"));
        for (const row of decodeRows(name, content)) {
          audit.add(row);
          onRow(row);
        }
      }
    }
  } catch (error) {
    if (error instanceof ArchiveDamage) return error.message;
    throw error;
  }
  if (manifest === undefined) return "the manifest is missing";
  const facts = audit.finish();
  const wrong = wrongMember(manifest, seen) ?? (facts.ok ? findDifference(facts.value, manifest) : facts.error);
  return wrong ?? manifest;
}

function wrongMember({ members }: BackupManifest, seen: ReadonlyMap<string, string>): string | undefined {
  const wrong = members.find(({ name, sha256 }) => seen.get(name) !== sha256);
  if (wrong) return `member ${wrong.name} is ${seen.has(wrong.name) ? "not the one in the manifest" : "missing"}`;
  return seen.size === members.length ? undefined : "there are members that the manifest does not name";
}

function* decodeRows(member: string, content: Buffer): IterableIterator<Row> {
  for (const [i, line] of content.toString().split("\n").entries()) {
    if (line === "") continue;
    const row = decodeRow(line);
    if (row === undefined) throw new ArchiveDamage(`line ${i + 1} of member ${member} is no row`);
    yield row;
  }
}

function decodeRow(line: string): Row | undefined {
  try {
    const [table, id, isLive, text] = JSON.parse(line);
    JSON.parse(text);
    if (typeof table !== "string" || typeof id !== "string" || typeof isLive !== "boolean") return undefined;
    return { table, id, text, isLive };
  } catch {
    return undefined;
  }
}
