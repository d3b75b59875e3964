/**
 * What the audit log holds: who did what, to what, from where, and how it ended. The body is
 * signed by the server that took the call and travels in a command; `apply` adds the outcome,
 * the number and the links. `chain.ts` says how entries hang together.
 */
import type { LogIndex, Millis } from "../../base/brand.ts";
import { canonicalEncode } from "../../base/canonical-encode.ts";
import { sha256Hex } from "../../base/sha256.ts";
import type { FaultReason } from "../domain/errors.ts";
import type { Role } from "../domain/principal.ts";

/** Who acted. */
export interface AuditActor {
  readonly user: string;
  /** Absent for a caller who could not prove who it is. */
  readonly role?: Role;
  readonly tenant?: string;
  readonly node?: string;
}

/** What it was done to; absent parts do not apply. */
export interface AuditTarget {
  readonly tenant?: string;
  readonly vcluster?: string;
  readonly allocation?: string;
  readonly node?: string;
  /** Anything else by its name: a member, a backup, an archive. */
  readonly name?: string;
}

/** What is signed. */
export interface AuditBody {
  /** No two bodies have the same: the process that signed it, and its running number. */
  readonly id: string;
  readonly at: Millis;
  readonly actor: AuditActor;
  /** `lattice.` and the operation, as lattice.node.drain. */
  readonly action: string;
  readonly target: AuditTarget;
  /** Network address of the caller; empty where the servers acted by themselves. */
  readonly from: string;
  readonly requestId: string;
  /** The member that took the call. */
  readonly server: number;
  /** Why it was denied; absent where it was let in. */
  readonly denied?: string;
  /** How many like it this entry stands for; absent for 1. */
  readonly count?: number;
  /** Of a signed head: the entry that it vouches for. */
  readonly head?: { readonly sequence: number; readonly hash: string };
}

/** A body with its signature. */
export interface SignedAudit {
  readonly body: AuditBody;
  /** Id of the key. */
  readonly key: string;
  /** Ed25519 over the canonical text of the body, in hexadecimal. */
  readonly signature: string;
}

/** What became of it: carried out, denied, or refused by the state for a reason. */
export type AuditOutcome = "done" | "denied" | FaultReason;

/** An entry as it stands in the chain. */
export interface AuditEntry extends SignedAudit {
  /** From 1 on, without a gap. */
  readonly sequence: number;
  /** The entry of the replicated log that brought it. */
  readonly index: LogIndex;
  /** Grows when a backup is restored: what came after the backup is not in this chain. */
  readonly epoch: number;
  readonly outcome: AuditOutcome;
  /** Hash of the entry before; of the first: empty. */
  readonly previous: string;
  /** SHA-256 over the canonical text of everything above. */
  readonly hash: string;
}

/** The public half of a server's key. */
export interface AuditKey {
  readonly id: string;
  /** Raw Ed25519 public key in hexadecimal. */
  readonly publicKey: string;
  /** The member that signs with it. */
  readonly member: number;
  readonly since: Millis;
}

/** Entries that have left the servers for a file. */
export interface AuditArchive {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  readonly firstAt: Millis;
  readonly lastAt: Millis;
  readonly lastHash: string;
  /** Of the whole file. */
  readonly sha256: string;
  readonly bytes: number;
}

/** Where the chain stands. */
export interface AuditHead {
  /** Entries so far: the number of the last one. */
  readonly length: number;
  readonly hash: string;
  readonly epoch: number;
  /** First entry that is in memory; those before are on disk or in archives. */
  readonly liveFrom: number;
  /** Last entry that is in an archive only. */
  readonly archivedTo: number;
}

/** The head of a chain without entries. */
export const EMPTY_CHAIN: AuditHead = { length: 0, hash: "", epoch: 1, liveFrom: 1, archivedTo: 0 };

/** Returns the text that is signed. */
export const signedText = (body: AuditBody): string => canonicalEncode(body);

/** Returns the hash that the entry should have. */
export function entryHash({ hash: _, ...rest }: AuditEntry): string {
  return sha256Hex(canonicalEncode(rest));
}

/** Returns the id of a public key: the beginning of its hash, which people can compare. */
export const keyIdOf = (publicKey: string): string => sha256Hex(publicKey).slice(0, 16);

const DIGITS = 12;

/** Returns the name of the row of an entry: ascending as the entries are. */
export const entryId = (sequence: number): string => String(sequence).padStart(DIGITS, "0");
