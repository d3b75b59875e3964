/** The audit log between domain and wire, and as the JSON of REST. */
import { create } from "@bufbuild/protobuf";
import type { AuditArchive, AuditEntry, AuditKey } from "../core/audit/entry.ts";
import { signedText } from "../core/audit/entry.ts";
import type { AuditFilter } from "../core/audit/query.ts";
import { tenantOf } from "../core/audit/query.ts";
import type { AuditEntryProto, QueryAuditRequest } from "../gen/lattice/v1/admin_pb.ts";
import {
  AuditArchiveSchema,
  AuditEntryProtoSchema,
  AuditKeySchema,
  ListAuditArchivesResponseSchema,
  VerifyAuditResponseSchema,
} from "../gen/lattice/v1/admin_pb.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** Writes an entry; its details are the text that is signed. */
export function auditEntryToProto(entry: AuditEntry): AuditEntryProto {
  const { body } = entry;
  return create(AuditEntryProtoSchema, {
    id: body.id,
    tenantId: tenantOf(entry) ?? "",
    userId: body.actor.user,
    action: body.action,
    details: signedText(body),
    timestamp: timestampToProto(body.at),
    sequence: BigInt(entry.sequence),
    logIndex: BigInt(entry.index),
    epoch: BigInt(entry.epoch),
    outcome: entry.outcome,
    previousHash: entry.previous,
    hash: entry.hash,
    keyId: entry.key,
    signature: entry.signature,
  });
}

/** Reads which entries are wanted; what is empty matches all. */
export function auditFilterFromProto(request: QueryAuditRequest): AuditFilter {
  const { tenantId: tenant, userId: user, action, allocationId: allocation, nodeId: node, since, until } = request;
  return {
    ...(tenant !== "" && { tenant }),
    ...(user !== "" && { user }),
    ...(action !== "" && { action }),
    ...(allocation !== "" && { allocation }),
    ...(node !== "" && { node }),
    ...(since && { since: timestampFromProto(since) }),
    ...(until && { until: timestampFromProto(until) }),
  };
}

/** What verifying found, as the servers have it. */
export interface VerdictFields {
  readonly isWhole: boolean;
  readonly entries: number;
  readonly archived: number;
  readonly heads: number;
  readonly restores: number;
  readonly hash: string;
  readonly keys: readonly AuditKey[];
  readonly problems: readonly { readonly sequence: number; readonly text: string }[];
}

/** Writes what verifying found. */
export const auditVerdictToProto = (verdict: VerdictFields) =>
  create(VerifyAuditResponseSchema, {
    valid: verdict.isWhole,
    entries: BigInt(verdict.entries),
    archived: BigInt(verdict.archived),
    heads: BigInt(verdict.heads),
    restores: BigInt(verdict.restores),
    hash: verdict.hash,
    keys: verdict.keys.map(keyToProto),
    problems: verdict.problems.map(({ sequence, text }) => ({ sequence: BigInt(sequence), text })),
  });

/** Writes the archives and the keys. */
export const auditArchivesToProto = (all: {
  readonly location: string;
  readonly archives: readonly AuditArchive[];
  readonly keys: readonly AuditKey[];
  readonly total: number;
}) =>
  create(ListAuditArchivesResponseSchema, {
    location: all.location,
    archives: all.archives.map(archiveToProto),
    keys: all.keys.map(keyToProto),
    totalEntries: BigInt(all.total),
  });

const keyToProto = ({ id, publicKey, member, since }: AuditKey) =>
  create(AuditKeySchema, { id, publicKey, memberId: BigInt(member), since: timestampToProto(since) });

const archiveToProto = (archive: AuditArchive) =>
  create(AuditArchiveSchema, {
    name: archive.name,
    first: BigInt(archive.first),
    last: BigInt(archive.last),
    firstTimestamp: timestampToProto(archive.firstAt),
    lastTimestamp: timestampToProto(archive.lastAt),
    lastHash: archive.lastHash,
    sha256: archive.sha256,
    sizeBytes: BigInt(archive.bytes),
  });
