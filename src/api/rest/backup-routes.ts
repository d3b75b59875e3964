/** The routes of backups. Bodies may say `backup_path` for `path`, as the RPCs do. */
import { t } from "elysia";
import { countOf } from "../../core/backup/manifest.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { createBackup, listBackups, stageRestore, verifyBackup } from "../../engine/server/operations/backup.ts";
import type { BackupFile, BackupInfo, BackupVerdict } from "../../ports/backups.ts";
import { jsonBody, optionalJsonBody } from "./json-body.ts";
import { json, queryOf, type Route } from "./route.ts";

const PATH = {
  path: t.Optional(t.String({ description: "file name, or the configured location with the file name behind it" })),
  backup_path: t.Optional(t.String()),
};
const PATH_BODY = optionalJsonBody(t.Object(PATH));
const RESTORE_BODY = jsonBody(
  t.Object({ ...PATH, force: t.Optional(t.Boolean({ description: "although other servers are alive" })) }),
);

const pathOf = (body: { readonly path?: string; readonly backup_path?: string }) => body.path ?? body.backup_path ?? "";

/** curl -d calls its body a form. What a browser sends on behalf of another site has an origin, and is not taken. */
const isPlainCurl = ({ headers }: Request): boolean =>
  headers.get("content-type") === "application/x-www-form-urlencoded" && !headers.has("origin");

const asJson = (request: Request): Request => new Request(request, { headers: { "content-type": "application/json" } });

/** Making, listing, checking and restoring backups. */
export const BACKUP_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/admin/backup",
    operation: "backup.manage",
    summary: "Lists backups, newest first",
    handle: async ({ server, call }) => json((await listBackups(server, call)).map(fileJson)),
  },
  {
    method: "POST",
    path: "/api/v1/admin/backup",
    operation: "backup.manage",
    summary: "Makes a backup",
    body: PATH_BODY,
    async handle({ server, call, request }) {
      const backup = await createBackup(server, call, pathOf(await PATH_BODY.read(request)));
      return json({ success: true, message: `made ${backup.path}`, ...infoJson(backup) });
    },
  },
  {
    method: "GET",
    path: "/api/v1/admin/backup/verify",
    operation: "backup.manage",
    summary: "Checks a backup from end to end, the newest unless told otherwise",
    query: { path: "file name, or the configured location with the file name behind it" },
    async handle(context) {
      const path = queryOf(context).text("path");
      return json(verdictJson(await verifyBackup(context.server, context.call, path)));
    },
  },
  {
    method: "POST",
    path: "/api/v1/admin/backup/verify",
    operation: "backup.manage",
    summary: "Checks a backup from end to end, the newest unless told otherwise",
    body: PATH_BODY,
    async handle({ server, call, request }) {
      return json(verdictJson(await verifyBackup(server, call, pathOf(await PATH_BODY.read(request)))));
    },
  },
  {
    method: "POST",
    path: "/api/v1/admin/restore",
    operation: "backup.restore",
    summary: "Checks a backup and unpacks it; the next start of the server puts it in place",
    body: RESTORE_BODY,
    async handle({ server, call, request }) {
      const body = await RESTORE_BODY.read(isPlainCurl(request) ? asJson(request) : request);
      const path = pathOf(body);
      if (path === "") throw new LatticeError(fault("INVALID_BODY", "the field path is missing"));
      const backup = await stageRestore(server, call, { path, isForced: body.force === true });
      const message =
        "the backup is checked and unpacked: restart this server to finish; the data in use is kept aside";
      return json({ success: true, message, ...infoJson(backup) });
    },
  },
];

const fileJson = ({ path, bytes, createdAt }: BackupFile) => ({
  path,
  bytes,
  created_at: new Date(createdAt).toISOString(),
});

const infoJson = (backup: BackupInfo) => ({
  ...fileJson(backup),
  backup_timestamp: new Date(backup.createdAt).toISOString(),
  term: backup.manifest.term,
  index: backup.manifest.index,
  state_hash: backup.manifest.stateHash,
  node_count: countOf(backup.manifest, "nodes"),
  allocation_count: countOf(backup.manifest, "allocations"),
  tenant_count: countOf(backup.manifest, "tenants"),
  audit_entry_count: countOf(backup.manifest, "audit"),
});

const verdictJson = (verdict: BackupVerdict) =>
  verdict.isValid
    ? { valid: true, message: "whole", ...infoJson(verdict.backup) }
    : { valid: false, message: `damaged: ${verdict.problem}`, path: verdict.path };
