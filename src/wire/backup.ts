/** Backups from domain to wire. Nothing reads them back: a backup is named by its path alone. */
import { create } from "@bufbuild/protobuf";
import { countOf } from "../core/backup/manifest.ts";
import type {
  BackupEntry,
  BackupVerifyResponse,
  CreateBackupResponse,
  RestoreBackupResponse,
} from "../gen/lattice/v1/admin_pb.ts";
import {
  BackupEntrySchema,
  BackupVerifyResponseSchema,
  CreateBackupResponseSchema,
  RestoreBackupResponseSchema,
} from "../gen/lattice/v1/admin_pb.ts";
import type { BackupFile, BackupInfo, BackupVerdict } from "../ports/backups.ts";
import { timestampToProto } from "./timestamp.ts";

/** Writes what was made. */
export const backupToProto = ({ path, bytes, createdAt, manifest }: BackupInfo): CreateBackupResponse =>
  create(CreateBackupResponseSchema, {
    success: true,
    message: `made ${path}`,
    backupTimestamp: timestampToProto(createdAt),
    backupPath: path,
    sizeBytes: BigInt(bytes),
    ...cutOf(manifest),
  });

/** Writes what a check found. */
export function verdictToProto(verdict: BackupVerdict): BackupVerifyResponse {
  if (!verdict.isValid) {
    const message = `damaged: ${verdict.problem}`;
    return create(BackupVerifyResponseSchema, { valid: false, message, backupPath: verdict.path });
  }
  const { path, createdAt, manifest } = verdict.backup;
  return create(BackupVerifyResponseSchema, {
    valid: true,
    message: "whole",
    backupTimestamp: timestampToProto(createdAt),
    backupPath: path,
    ...cutOf(manifest),
  });
}

/** Writes one of a list. */
export const backupEntryToProto = ({ path, bytes, createdAt }: BackupFile): BackupEntry =>
  create(BackupEntrySchema, {
    backupPath: path,
    backupTimestamp: timestampToProto(createdAt),
    sizeBytes: BigInt(bytes),
  });

/** Says what remains to be done after a restore was staged. */
export const stagedToProto = ({ path }: BackupInfo): RestoreBackupResponse =>
  create(RestoreBackupResponseSchema, {
    success: true,
    message: `${path} is checked and unpacked: restart this server to finish; the data in use is kept aside`,
  });

const cutOf = (manifest: BackupInfo["manifest"]) => ({
  snapshotTerm: BigInt(manifest.term),
  snapshotIndex: BigInt(manifest.index),
  stateHash: manifest.stateHash,
  nodeCount: BigInt(countOf(manifest, "nodes")),
  allocationCount: BigInt(countOf(manifest, "allocations")),
  tenantCount: BigInt(countOf(manifest, "tenants")),
  auditEntryCount: BigInt(countOf(manifest, "audit")),
});
