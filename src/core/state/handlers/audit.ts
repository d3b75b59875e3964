/**
 * The chain of audit entries in the state: each is linked when it is applied, the latest are
 * in memory, older ones on disk, and those that an archive holds nowhere else.
 */
import { present } from "../../../base/assert.ts";
import { addHash, subtractHash } from "../../../base/hash.ts";
import { ok } from "../../../base/result.ts";
import { linkEntry } from "../../audit/chain.ts";
import type { SignedAudit } from "../../audit/entry.ts";
import { entryId } from "../../audit/entry.ts";
import type { Fault } from "../../domain/errors.ts";
import { fault, refuse } from "../../domain/errors.ts";
import type { Applying } from "../applying.ts";
import { writeMeta } from "../applying.ts";
import type { Command, CommandBody, Outcome } from "../commands.ts";
import type { State } from "../state.ts";
import { auditHeadOf, metaOf } from "../state.ts";

type Of<K extends CommandBody["kind"]> = Extract<CommandBody, { kind: K }>;

const DONE = ok({ kind: "done" } as const);

/** Returns why the entry of a command could never be verified: then the command is refused. */
export function whyUnverifiable(state: State, command: Command): Fault | undefined {
  if (command.audit === undefined || state.tables.auditKeys.has(command.audit.key)) return undefined;
  if (command.kind === "register-audit-key" && command.key.id === command.audit.key) return undefined;
  return fault("VERSION_CONFLICT", `the audit key ${command.audit.key} is not known to the servers`);
}

/** Links the entry of a command whose outcome is known. */
export function appendAudit(ctx: Applying, signed: SignedAudit, outcome: Outcome): void {
  const head = auditHeadOf(ctx.state);
  const epoch = metaOf(ctx.state).restoreEpoch;
  const became = outcome.ok ? (signed.body.denied === undefined ? "done" : "denied") : outcome.error.reason;
  const entry = linkEntry(head, signed, { index: ctx.index, epoch, outcome: became });
  ctx.state.tables.audit.put(entryId(entry.sequence), entry);
  writeMeta(ctx, { audit: { ...head, length: entry.sequence, hash: entry.hash, epoch } });
}

/** Does nothing by itself: its entry is what it is for. */
export const recordAudit = (): Outcome => DONE;

/** Makes a key known. A key is never forgotten, for its entries stay. */
export function registerAuditKey(ctx: Applying, { key }: Of<"register-audit-key">): Outcome {
  const { auditKeys } = ctx.state.tables;
  if (!auditKeys.has(key.id)) auditKeys.put(key.id, { ...key, since: ctx.at });
  return DONE;
}

/** Moves entries up to a number from memory to disk. */
export function retireAudit(ctx: Applying, { to }: Of<"retire-audit">): Outcome {
  const head = auditHeadOf(ctx.state);
  let { archivedCount, archivedHash } = metaOf(ctx.state);
  const end = Math.min(to, head.length);
  for (let sequence = head.liveFrom; sequence <= end; sequence++) {
    archivedHash = addHash(archivedHash, ctx.state.tables.audit.archive(entryId(sequence)));
    archivedCount += 1;
  }
  const liveFrom = Math.max(head.liveFrom, end + 1);
  writeMeta(ctx, { archivedCount, archivedHash, audit: { ...head, liveFrom } });
  return DONE;
}

/** Drops entries that an archive holds. Archives follow one another without a gap. */
export function archiveAudit(ctx: Applying, { archive, rowsHash }: Of<"archive-audit">): Outcome {
  const head = auditHeadOf(ctx.state);
  const { first, last } = archive;
  if (first !== head.archivedTo + 1 || last < first || last >= head.liveFrom) {
    const expected = `entries from ${head.archivedTo + 1} up to ${head.liveFrom - 1} can be archived`;
    return refuse("VERSION_CONFLICT", `${expected}, not ${first} to ${last}`);
  }
  const { tables } = ctx.state;
  for (let sequence = first; sequence <= last; sequence++) tables.audit.dropArchived(entryId(sequence));
  tables.auditArchives.put(entryId(first), archive);
  const { archivedCount, archivedHash, audit } = metaOf(ctx.state);
  writeMeta(ctx, {
    archivedCount: archivedCount - (last - first + 1),
    archivedHash: subtractHash(archivedHash, rowsHash),
    audit: { ...present(audit, "a chain that was archived has a head"), archivedTo: last },
  });
  return DONE;
}
