/** Packs the state on disk, as it is at one index, into a backup file. */
import { rmSync } from "node:fs";
import type { Millis } from "../../base/brand.ts";
import type { BackupManifest, BackupMember } from "../../core/backup/manifest.ts";
import { BACKUP_FORMAT, encodeManifest, MANIFEST_MEMBER } from "../../core/backup/manifest.ts";
import { RowAudit } from "../../core/backup/row-audit.ts";
import type { Row } from "../../core/state/table.ts";
import { openMirrorCut } from "../sqlite/mirror-cut.ts";
import { corruptFile } from "../sqlite/sqlite-error.ts";
import { ArchiveWriter } from "./archive-writer.ts";
import { backupError } from "./backup-error.ts";

/** Rows go into members of about this size. */
const MEMBER_CHARACTERS = 4_000_000;

/** What is packed and where to. */
export interface PackRequest {
  readonly dataDir: string;
  readonly path: string;
  readonly at: Millis;
  readonly version: string;
}

/** Writes the backup and returns its manifest. Leaves no file behind when it fails. */
export function packBackup(request: PackRequest): BackupManifest {
  const { dataDir, path, at } = request;
  const cut = openMirrorCut(dataDir);
  try {
    const writer = new ArchiveWriter(path, Math.floor(at / 1000));
    try {
      const audit = new RowAudit();
      const members = writeRows(writer, audit, cut.rows());
      const facts = audit.finish();
      if (!facts.ok) throw corruptFile(dataDir, facts.error);
      const { index, term } = cut.applied;
      const head = { format: BACKUP_FORMAT, version: request.version, createdAt: at, clusterId: cut.clusterId };
      const manifest = { ...head, index, term, ...facts.value, members };
      writer.add(MANIFEST_MEMBER, new TextEncoder().encode(encodeManifest(manifest)));
      writer.finish();
      return manifest;
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      writer.close();
    }
  } catch (error) {
    throw backupError(`write ${path}`, error);
  } finally {
    cut.close();
  }
}

function writeRows(writer: ArchiveWriter, audit: RowAudit, rows: Iterable<Row>): readonly BackupMember[] {
  const members: BackupMember[] = [];
  let lines: string[] = [];
  let size = 0;
  const flush = () => {
    if (lines.length === 0) return;
    const name = `rows/${String(members.length + 1).padStart(6, "0")}.jsonl`;
    members.push(writer.add(name, new TextEncoder().encode(lines.join(""))));
    lines = [];
    size = 0;
  };
  for (const row of rows) {
    audit.add(row);
    const line = encodeRow(row);
    lines.push(line);
    size += line.length;
    if (size >= MEMBER_CHARACTERS) flush();
  }
  flush();
  return members;
}

/** A row as a line: table, id, whether it is live, and the text of the record. */
const encodeRow = ({ table, id, text, isLive }: Row): string => `${JSON.stringify([table, id, isLive, text])}\n`;
