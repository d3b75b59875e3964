/** The routes of the audit log: reading, verifying and archiving it. */
import { t } from "elysia";
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { AuditArchive, AuditEntry, AuditKey } from "../../core/audit/entry.ts";
import { signedText } from "../../core/audit/entry.ts";
import type { AuditFilter } from "../../core/audit/query.ts";
import { tenantOf } from "../../core/audit/query.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { archiveAudit } from "../../engine/server/audit/archive-audit.ts";
import { listArchives, queryAudit } from "../../engine/server/audit/query-audit.ts";
import { verifyAudit } from "../../engine/server/audit/verify-audit.ts";
import { optionalJsonBody } from "./json-body.ts";
import { json, PAGE_QUERY, page, queryOf, type Route, type RouteContext } from "./route.ts";

const ARCHIVE_BODY = optionalJsonBody(
  t.Object({ before: t.Optional(t.String({ description: "RFC 3339; absent for everything there is" })) }),
);

/** The audit log. */
export const AUDIT_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/audit",
    operation: "audit.read",
    summary: "Lists audit entries, newest first; those that have been archived are in the archives",
    query: {
      tenant: "of what it was done to",
      user: "who did it",
      action: "as lattice.node.drain, or the beginning of it up to a dot",
      alloc_id: "allocation or array that it was done to",
      node: "node that it was done to",
      since: "RFC 3339",
      until: "RFC 3339, not included",
      ...PAGE_QUERY,
    },
    async handle(context) {
      const asked = { filter: filterOf(context), page: queryOf(context).page() };
      return page(await queryAudit(context.server, context.call, asked), entryJson);
    },
  },
  {
    method: "GET",
    path: "/api/v1/audit/archives",
    operation: "audit.read",
    summary: "Lists the archives of the audit log and the keys that it is verified with",
    query: { tenant: "of whoever asks" },
    handle: (context) => json(archivesJson(context)),
  },
  {
    method: "GET",
    path: "/api/v1/audit/verify",
    operation: "audit.verify",
    summary: "Verifies the whole chain of entries, archives included",
    async handle({ server, call }) {
      const { isWhole, keys, ...verdict } = await verifyAudit(server, call);
      return json({ valid: isWhole, ...verdict, keys: keys.map(keyJson) });
    },
  },
  {
    method: "POST",
    path: "/api/v1/audit/archive",
    operation: "audit.archive",
    summary: "Moves entries older than a time into archives",
    body: ARCHIVE_BODY,
    async handle({ server, call, request }) {
      const { before } = await ARCHIVE_BODY.read(request);
      const at = before === undefined ? server.clock.now() : timeOf("before", before);
      const archives = await archiveAudit(server, call, at);
      return json({ location: server.auditFiles.location, archives: archives.map(archiveJson) });
    },
  },
];

function filterOf(context: RouteContext): AuditFilter {
  const query = queryOf(context);
  const {
    alloc_id: ref,
    since,
    until,
    ...same
  } = query.texts(...(["tenant", "user", "action", "node", "alloc_id", "since", "until"] as const));
  return {
    ...same,
    ...(ref !== undefined && { allocation: ref }),
    ...(since !== undefined && { since: timeOf("since", since) }),
    ...(until !== undefined && { until: timeOf("until", until) }),
  };
}

function timeOf(name: string, text: string): Millis {
  const at = Date.parse(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && Number.isFinite(at)) return millis(at);
  throw new LatticeError(
    fault("INVALID_SPEC", `${name} is no time of RFC 3339: ${text}`, "write it as 2026-03-05T12:00:00Z"),
  );
}

const entryJson = (entry: AuditEntry) => ({
  id: entry.body.id,
  sequence: entry.sequence,
  timestamp: new Date(entry.body.at).toISOString(),
  tenant: tenantOf(entry) ?? "",
  user: entry.body.actor.user,
  action: entry.body.action,
  outcome: entry.outcome,
  details: JSON.parse(signedText(entry.body)),
  epoch: entry.epoch,
  log_index: entry.index,
  previous_hash: entry.previous,
  hash: entry.hash,
  key_id: entry.key,
  signature: entry.signature,
});

function archivesJson({ server, call, ...context }: RouteContext) {
  const tenant = queryOf({ server, call, ...context }).text("tenant");
  const { location, archives, keys, total } = listArchives(server, call, tenant);
  return { location, archives: archives.map(archiveJson), keys: keys.map(keyJson), total_entries: total };
}

const keyJson = ({ id, publicKey, member, since }: AuditKey) => ({
  id,
  public_key: publicKey,
  member_id: member,
  since: new Date(since).toISOString(),
});

const archiveJson = (archive: AuditArchive) => ({
  object_key: archive.name,
  first: archive.first,
  last: archive.last,
  entry_count: archive.last - archive.first + 1,
  first_timestamp: new Date(archive.firstAt).toISOString(),
  last_timestamp: new Date(archive.lastAt).toISOString(),
  last_hash: archive.lastHash,
  sha256: archive.sha256,
  size_bytes: archive.bytes,
});
