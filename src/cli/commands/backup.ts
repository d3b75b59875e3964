/** `lattice admin backup create|list|verify|restore`: copies of the state of the cluster. */
import type { BackupEntry, BackupVerifyResponse, CreateBackupResponse } from "../../client/messages.ts";
import { FAULTS } from "../../core/domain/errors.ts";
import { timestampFromProto } from "../../wire/timestamp.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import { printList, printOne } from "../render/print.ts";
import { bytes, counted, moment } from "../render/text.ts";

/** A long history takes tens of seconds to pack or to check. */
const PATIENCE_MS = 120_000;

const longCall = ({ signal, settings }: Context) => ({
  signal,
  timeoutMs: Math.max(PATIENCE_MS, settings.timeoutMs),
});

const BACKUP = { name: "backup", description: "File name of the backup, or its whole path" } as const;

/** `lattice admin backup create`. */
export const backupCreate: Command = {
  kind: "command",
  name: "admin backup create",
  summary: "Make a backup",
  run: async (_given, context) => {
    const made = await context.client().admin.createBackup({}, longCall(context));
    const text = () => `Made ${made.backupPath}: ${bytes(Number(made.sizeBytes))}, ${holds(made)}\n`;
    await printOne(context, made, { id: made.backupPath, text });
    return EXIT.ok;
  },
};

/** `lattice admin backup list`. */
export const backupList: Command = {
  kind: "command",
  name: "admin backup list",
  summary: "List backups, newest first",
  run: async (_given, context) => {
    const { backups } = await context.client().admin.listBackups({}, longCall(context));
    await printList<BackupEntry>(context, {
      rows: backups,
      idOf: (b) => b.backupPath,
      columns: [
        { title: "MADE", value: (b) => moment(b.backupTimestamp && timestampFromProto(b.backupTimestamp)) },
        { title: "SIZE", value: (b) => bytes(Number(b.sizeBytes)), isNumber: true },
        { title: "PATH", value: (b) => b.backupPath, least: 40 },
      ],
      empty: "no backups",
    });
    return EXIT.ok;
  },
};

/** `lattice admin backup verify`. */
export const backupVerify: Command = {
  kind: "command",
  name: "admin backup verify",
  summary: "Check a backup from end to end",
  positionals: [{ ...BACKUP, description: "File name or path of the backup; the newest when absent" }],
  run: async (given, context) => {
    const request = { backupPath: given.first() ?? "" };
    const verdict = await context.client().admin.backupVerify(request, longCall(context));
    const text = () => `${verdict.backupPath}: ${verdict.message}${verdict.valid ? `; ${holds(verdict)}` : ""}\n`;
    await printOne(context, verdict, { id: verdict.backupPath, text });
    return verdict.valid ? EXIT.ok : FAULTS.BACKUP_DAMAGED.exit;
  },
};

/** `lattice admin backup restore`. */
export const backupRestore: Command = {
  kind: "command",
  name: "admin backup restore",
  summary: "Check and unpack a backup, which the next start of the server puts in place",
  positionals: [{ ...BACKUP, isRequired: true }],
  flags: { force: { type: "boolean", description: "Although other servers of the cluster are alive" } },
  examples: [["lattice admin backup restore backup-20260305T120000Z.tar.gz", "then restart the server"]],
  run: async (given, context) => {
    const request = { backupPath: given.first() ?? "", force: given.has("force") };
    const staged = await context.client().admin.restoreBackup(request, longCall(context));
    await printOne(context, staged, { id: request.backupPath, text: () => `${staged.message}\n` });
    return EXIT.ok;
  },
};

const holds = (cut: CreateBackupResponse | BackupVerifyResponse): string =>
  [
    `index ${cut.snapshotIndex}`,
    counted(Number(cut.nodeCount), "node"),
    counted(Number(cut.allocationCount), "allocation"),
    counted(Number(cut.tenantCount), "tenant"),
  ].join(", ");
