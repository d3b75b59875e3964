/**
 * Verifying the whole chain when somebody asks: archives, then what is on disk, then what is
 * in memory, against the keys and the head that the servers agreed on.
 */

import { compareNumber } from "../../../base/compare.ts";
import { decodeArchive } from "../../../core/audit/archive-file.ts";
import type { ChainProblem } from "../../../core/audit/chain.ts";
import { ChainVerifier } from "../../../core/audit/chain.ts";
import type { AuditArchive, AuditKey } from "../../../core/audit/entry.ts";
import { LatticeError } from "../../../core/domain/errors.ts";
import { auditHeadOf } from "../../../core/state/state.ts";
import type { Call } from "../call.ts";
import { demand } from "../operations/access.ts";
import type { Server } from "../server.ts";
import { nextTurn, readEntry, SLICE } from "./read-entries.ts";

/** What verifying found. */
export interface AuditVerdict {
  readonly isWhole: boolean;
  readonly entries: number;
  readonly archived: number;
  /** Signed heads among the entries. */
  readonly heads: number;
  /** How often a backup was restored between two entries. */
  readonly restores: number;
  /** Hash of the last entry. */
  readonly hash: string;
  readonly keys: readonly AuditKey[];
  readonly problems: readonly ChainProblem[];
}

/** Verifies everything up to the last entry of the moment. */
export async function verifyAudit(server: Server, call: Call): Promise<AuditVerdict> {
  demand(call, "audit.verify");
  const { replica, clock, auditor } = server;
  const { tables } = replica.state;
  const head = auditHeadOf(replica.state);
  const publicKeyOf = (key: string) => replica.state.tables.auditKeys.get(key)?.publicKey;
  const pass = new ChainVerifier({ sequence: 0, hash: "" }, publicKeyOf, auditor.signer.verify);
  const archives = [...tables.auditArchives.values()].toSorted((a, b) => compareNumber(a.first, b.first));
  for (const archive of archives) await addArchive(server, pass, archive);
  while (pass.last.sequence < head.length && !call.signal.aborted) {
    const end = Math.min(head.length, pass.last.sequence + SLICE);
    for (let sequence = pass.last.sequence + 1; sequence <= end; sequence++) {
      const read = readEntry(replica, sequence);
      if (read.entry) pass.add(read.entry);
      else pass.add(undefined, read.why);
    }
    await nextTurn(clock);
  }
  pass.end({ sequence: head.length, hash: head.hash });
  return {
    ...pass.counts,
    isWhole: pass.problems.length === 0,
    archived: head.archivedTo,
    hash: head.hash,
    keys: [...tables.auditKeys.values()],
    problems: pass.problems,
  };
}

async function addArchive({ auditFiles, clock }: Server, pass: ChainVerifier, archive: AuditArchive): Promise<void> {
  const { name, first, last } = archive;
  const read = await readArchive(auditFiles, archive);
  const content = "text" in read ? decodeArchive(read.text) : undefined;
  const damage = "why" in read ? read.why : content?.ok === false ? content.error : undefined;
  const entries = new Map(content?.ok ? content.value.entries.map((entry) => [entry.sequence, entry]) : []);
  const isOther = "text" in read && read.sha256 !== archive.sha256;
  if (isOther) pass.note(first, `archive ${name} is not the file that was written: its checksum differs`);
  for (let sequence = first; sequence <= last; sequence++) {
    pass.add(entries.get(sequence), `archive ${name}: ${damage ?? "it is missing"}`);
    if (sequence % SLICE === 0) await nextTurn(clock);
  }
}

async function readArchive(
  files: Server["auditFiles"],
  { name }: AuditArchive,
): Promise<{ readonly text: string; readonly sha256: string } | { readonly why: string }> {
  try {
    return await files.get(name);
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    return { why: error.fault.message };
  }
}
