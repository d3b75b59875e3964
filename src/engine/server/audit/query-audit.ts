/** Reading the audit log: newest first, a page at a time. A tenant's administrators see what concerns their tenant. */

import { compareNumber } from "../../../base/compare.ts";
import type { AuditArchive, AuditEntry, AuditKey } from "../../../core/audit/entry.ts";
import type { AuditFilter } from "../../../core/audit/query.ts";
import { matchesAudit } from "../../../core/audit/query.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { tenantId } from "../../../core/domain/ids.ts";
import { auditHeadOf } from "../../../core/state/state.ts";
import type { Call } from "../call.ts";
import { demand } from "../operations/access.ts";
import { find } from "../operations/lookup.ts";
import { numberCursor, pageSize } from "../operations/paging.ts";
import type { Page, PageRequest } from "../operations/results.ts";
import type { Server } from "../server.ts";
import { nextTurn, readEntry, SLICE } from "./read-entries.ts";

/** Returns entries that are not in archives. @throws AUDIT_DAMAGED for one that cannot be read. */
export async function queryAudit(
  server: Server,
  call: Call,
  { filter, page }: { readonly filter: AuditFilter; readonly page: PageRequest },
): Promise<Page<AuditEntry>> {
  const wanted = withWholeId(server, restrict(call, filter));
  demand(call, "audit.read", wanted.tenant === undefined ? {} : { tenant: tenantId(wanted.tenant) });
  const size = pageSize(page);
  const { replica, clock } = server;
  const { length, archivedTo } = auditHeadOf(replica.state);
  const items: AuditEntry[] = [];
  let sequence = Math.min(length, (numberCursor(page) ?? length + 1) - 1);
  for (let read = 0; sequence > archivedTo && items.length < size; sequence--) {
    const found = readEntry(replica, sequence);
    if (found.entry === undefined) throw new LatticeError(fault("AUDIT_DAMAGED", `entry ${sequence}: ${found.why}`));
    if (matchesAudit(found.entry, wanted)) items.push(found.entry);
    if (++read % SLICE !== 0) continue;
    if (call.signal.aborted) break;
    await nextTurn(clock);
  }
  return sequence > archivedTo ? { items, nextCursor: String(sequence + 1) } : { items };
}

/** Entries name allocations by their whole id, people by their number. */
const withWholeId = (server: Server, filter: AuditFilter): AuditFilter =>
  filter.allocation !== undefined && /^[a-z]?\d{1,15}$/.test(filter.allocation)
    ? { ...filter, allocation: find(server, filter.allocation).record.id }
    : filter;

/** Whoever administers one tenant asks for that one, said or unsaid. */
function restrict({ principal }: Call, filter: AuditFilter): AuditFilter {
  if (principal.role === "SystemAdmin" || filter.tenant !== undefined || principal.tenant === undefined) return filter;
  return { ...filter, tenant: principal.tenant };
}

/** What has left the servers, and what it is verified with. */
export interface AuditArchives {
  readonly location: string;
  readonly archives: readonly AuditArchive[];
  readonly keys: readonly AuditKey[];
  /** Entries so far, archived or not. */
  readonly total: number;
}

/** Returns the archives, oldest first, for whoever may read the entries of `tenant`. */
export function listArchives(server: Server, call: Call, tenant = ""): AuditArchives {
  demand(call, "audit.read", tenant === "" ? {} : { tenant: tenantId(tenant) });
  const { tables } = server.replica.state;
  return {
    location: server.auditFiles.location,
    archives: [...tables.auditArchives.values()].toSorted((a, b) => compareNumber(a.first, b.first)),
    keys: [...tables.auditKeys.values()],
    total: auditHeadOf(server.replica.state).length,
  };
}
