/**
 * The chain of audit entries: how the next one is linked, and what is wrong with one that was
 * stored. Whoever stores entries can compute their hashes, so that links alone find
 * accidents; the signatures of the bodies and of the heads, which vouch for everything
 * before them, find the rest.
 *
 * Invariant INV-U1: entry n has the hash of entry n-1, and every body a signature that fits.
 */
import type { AuditEntry, AuditHead, AuditOutcome, SignedAudit } from "./entry.ts";
import { entryHash, signedText } from "./entry.ts";

/** The action of an entry that vouches for those before it. */
export const HEAD_ACTION = "lattice.audit.head";

/** Returns whether the signature over `text` fits the public key; both in hexadecimal. */
export type VerifySignature = (publicKey: string, text: string, signature: string) => boolean;

/** What is wrong, and where. */
export interface ChainProblem {
  readonly sequence: number;
  readonly text: string;
}

/** Returns the entry that follows the head. */
export function linkEntry(
  { length, hash }: AuditHead,
  signed: SignedAudit,
  facts: { readonly index: AuditEntry["index"]; readonly epoch: number; readonly outcome: AuditOutcome },
): AuditEntry {
  const { body, key, signature } = signed;
  const unhashed = { body, key, signature, ...facts, sequence: length + 1, previous: hash, hash: "" };
  return { ...unhashed, hash: entryHash(unhashed) };
}

/** More are not told: a chain that is broken in so many places was replaced. */
const PROBLEMS_MAX = 100;
/** A head vouches for an entry that is not further back. */
const RECENT_MAX = 10_000;

/** Where a walk begins: the entry before the first one. */
export interface ChainStart {
  readonly sequence: number;
  readonly hash: string;
}

/** Looks at entries one after another, and says of each what is wrong with it. */
export class ChainVerifier {
  readonly problems: ChainProblem[] = [];
  readonly #publicKeyOf: (key: string) => string | undefined;
  readonly #verify: VerifySignature;
  /** Hashes of the latest entries, which a head may vouch for. */
  readonly #recent = new Map<number, string>();
  #last: ChainStart;
  #epoch = 0;
  #count = 0;
  #headCount = 0;
  #restoreCount = 0;

  constructor(start: ChainStart, publicKeyOf: (key: string) => string | undefined, verify: VerifySignature) {
    this.#last = start;
    this.#publicKeyOf = publicKeyOf;
    this.#verify = verify;
    if (start.sequence > 0) this.#recent.set(start.sequence, start.hash);
  }

  /** The last entry that was looked at. */
  get last(): ChainStart {
    return this.#last;
  }

  /** How many were looked at, how many of them were signed heads, and how often a backup was restored between them. */
  get counts(): { readonly entries: number; readonly heads: number; readonly restores: number } {
    return { entries: this.#count, heads: this.#headCount, restores: this.#restoreCount };
  }

  /** Takes the entry that should follow; undefined where there is none to be read, for the reason given. */
  add(entry: AuditEntry | undefined, why = "it is missing"): void {
    const sequence = this.#last.sequence + 1;
    this.#count += 1;
    if (entry === undefined) {
      this.#complain(sequence, why);
      // The next entry says which hash this one had.
      this.#last = { sequence, hash: "" };
      return;
    }
    this.#checkLink(sequence, entry);
    this.#checkSignature(sequence, entry);
    if (entry.body.action === HEAD_ACTION) this.#checkHead(sequence, entry);
    if (this.#epoch > 0 && entry.epoch < this.#epoch) this.#complain(sequence, "it is of an earlier epoch");
    if (this.#epoch > 0 && entry.epoch > this.#epoch) this.#restoreCount += 1;
    this.#epoch = entry.epoch;
    this.#recent.set(sequence, entry.hash);
    this.#recent.delete(sequence - RECENT_MAX);
    this.#last = { sequence, hash: entry.hash };
  }

  /** Takes note of something else that is wrong. */
  note(sequence: number, text: string): void {
    this.#complain(sequence, text);
  }

  /** Compares the end of the walk with what the state says the end is. */
  end({ sequence, hash }: ChainStart): void {
    if (this.#last.sequence !== sequence) {
      this.#complain(sequence, `the chain ends at entry ${this.#last.sequence}, the state says ${sequence}`);
    } else if (this.#last.hash !== hash) {
      this.#complain(sequence, "the last entry is not the one that the state names");
    }
  }

  #checkLink(sequence: number, entry: AuditEntry): void {
    if (entry.sequence !== sequence) this.#complain(sequence, `entry ${entry.sequence} is in its place`);
    if (entryHash(entry) !== entry.hash) this.#complain(sequence, "it was changed: its hash does not fit");
    const before = this.#last.hash;
    if (entry.previous === before || (before === "" && sequence > 1)) return;
    this.#complain(sequence, `it does not follow entry ${sequence - 1}: another hash is named`);
  }

  #checkSignature(sequence: number, { key, body, signature }: AuditEntry): void {
    const publicKey = this.#publicKeyOf(key);
    if (publicKey === undefined) this.#complain(sequence, `nobody knows the key ${key} that it is signed with`);
    else if (!this.#verify(publicKey, signedText(body), signature)) {
      this.#complain(sequence, `its signature does not fit the key ${key}`);
    }
  }

  /** A head that was signed over other entries than these: some were changed, dropped or reordered, and linked anew. */
  #checkHead(sequence: number, { body: { head } }: AuditEntry): void {
    this.#headCount += 1;
    const known = head && this.#recent.get(head.sequence);
    const isLost = head === undefined || head.sequence >= sequence;
    if (isLost || (known !== undefined && known !== head.hash)) {
      this.#complain(
        sequence,
        `the head signed here vouches for another entry ${head?.sequence}: history was rewritten`,
      );
    }
  }

  #complain(sequence: number, text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({ sequence, text: `entry ${sequence}: ${text}` });
  }
}
