/**
 * Moving old entries into files: a file is written and read back, then a command that names
 * it has every server drop what it holds. A crash in between leaves a file that the next
 * attempt writes again, byte for byte.
 */

import type { Millis } from "../../../base/brand.ts";
import { canonicalEncode } from "../../../base/canonical-encode.ts";
import { addHash, EMPTY_HASH } from "../../../base/hash.ts";
import { archiveName, encodeArchive } from "../../../core/audit/archive-file.ts";
import { ChainVerifier } from "../../../core/audit/chain.ts";
import type { AuditArchive, AuditEntry } from "../../../core/audit/entry.ts";
import { entryId } from "../../../core/audit/entry.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { auditHeadOf, metaOf } from "../../../core/state/state.ts";
import { rowHash } from "../../../core/state/table.ts";
import type { Call } from "../call.ts";
import { demand } from "../operations/access.ts";
import { SYSTEM } from "../replica.ts";
import type { Server } from "../server.ts";
import { SYSTEM_ACTOR } from "./auditor.ts";
import { nextTurn, readEntry, SLICE } from "./read-entries.ts";

/** Entries in one file. */
const FILE_ENTRIES = 5_000;

/** What archiving needs of a server. */
export type ArchivingParts = Pick<Server, "replica" | "clock" | "auditor" | "auditFiles" | "log">;

/** Archives what is older than `before`, for a caller, and returns the files. @throws AUDIT_DAMAGED, BACKUP_FAILED. */
export async function archiveAudit(server: Server, call: Call, before: Millis): Promise<readonly AuditArchive[]> {
  demand(call, "audit.archive");
  const name = `before ${new Date(before).toISOString()}`;
  await server.auditor.recordFirst(call, { operation: "audit.archive", target: { name } });
  return archiveBefore(server, before);
}

/** Archives what is older than `before` and returns the files. */
export async function archiveBefore(parts: ArchivingParts, before: Millis): Promise<readonly AuditArchive[]> {
  const made: AuditArchive[] = [];
  // Archiving makes entries itself: those are for another time.
  const { length: end } = auditHeadOf(parts.replica.state);
  for (;;) {
    const entries = await collect(parts, before, end);
    const last = entries.at(-1);
    if (!last) return made;
    const { replica } = parts;
    await replica.propose({ kind: "retire-audit", to: last.sequence }, SYSTEM);
    made.push(await writeFile(parts, entries));
  }
}

/** Returns the entries of the next file, verified: what is broken stays where it is, to be looked at. */
async function collect(
  { replica, clock, auditor }: ArchivingParts,
  before: Millis,
  end: number,
): Promise<readonly AuditEntry[]> {
  const { archivedTo } = auditHeadOf(replica.state);
  const { tables } = replica.state;
  const previous = [...tables.auditArchives.values()].find(({ last }) => last === archivedTo);
  const pass = new ChainVerifier(
    { sequence: archivedTo, hash: previous?.lastHash ?? "" },
    (key) => tables.auditKeys.get(key)?.publicKey,
    auditor.signer.verify,
  );
  const entries: AuditEntry[] = [];
  for (let sequence = archivedTo + 1; sequence <= end && entries.length < FILE_ENTRIES; sequence++) {
    const read = readEntry(replica, sequence);
    if (read.entry && read.entry.body.at >= before) break;
    if (read.entry) pass.add(read.entry);
    else pass.add(undefined, read.why);
    const [problem] = pass.problems;
    if (problem) throw new LatticeError(fault("AUDIT_DAMAGED", `the audit log is not archived: ${problem.text}`));
    if (read.entry) entries.push(read.entry);
    if (entries.length % SLICE === 0) await nextTurn(clock);
  }
  return entries;
}

async function writeFile(parts: ArchivingParts, entries: readonly AuditEntry[]): Promise<AuditArchive> {
  const { replica, auditor, auditFiles, log } = parts;
  const [first, last] = [entries[0], entries.at(-1)];
  if (!first || !last) throw new LatticeError(fault("INTERNAL", "an archive needs entries"));
  const { tables } = replica.state;
  const used = new Set(entries.map(({ key }) => key));
  const range = { first: first.sequence, last: last.sequence };
  const keys = [...tables.auditKeys.values()].filter(({ id }) => used.has(id));
  const text = encodeArchive(
    { clusterId: metaOf(replica.state).clusterId, ...range, previous: first.previous, keys },
    entries,
  );
  const name = archiveName({ epoch: metaOf(replica.state).restoreEpoch, ...range });
  await auditFiles.put(name, text);
  const stored = await auditFiles.get(name);
  if (stored.text !== text) {
    throw new LatticeError(fault("BACKUP_FAILED", `${name} does not read back as it was written`));
  }
  const archive: AuditArchive = {
    name,
    ...range,
    firstAt: first.body.at,
    lastAt: last.body.at,
    lastHash: last.hash,
    sha256: stored.sha256,
    bytes: text.length,
  };
  const rowsHash = entries.reduce((sum, entry) => addHash(sum, hashOf(entry)), EMPTY_HASH);
  const facts = { action: "lattice.audit.archived", actor: SYSTEM_ACTOR, target: { name } };
  await auditor.record(facts, { kind: "archive-audit", archive, rowsHash });
  log.info("audit entries were archived", { name, ...range, location: auditFiles.location });
  return archive;
}

const hashOf = (entry: AuditEntry) => rowHash("audit", entryId(entry.sequence), canonicalEncode(entry));
