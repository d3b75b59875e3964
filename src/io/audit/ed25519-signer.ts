/**
 * The audit signing key: 32 bytes, the seed of an Ed25519 key pair, in a file that only its
 * owner may read, or in base64 from the configuration. A file that is not there is made.
 */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from "node:crypto";
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { AuditSigner } from "../../ports/audit-signer.ts";
import type { Logger } from "../../ports/log.ts";

const SEED_BYTES = 32;
/** What stands before the raw bytes of a key in DER (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Where the key is. */
export interface SigningKeySource {
  /** The seed in base64; wins over the file. */
  readonly seed?: string;
  readonly path: string;
}

/** Returns the signer of this server. @throws INVALID_CONFIG when there is a key and it cannot be used. */
export function openAuditSigner({ seed, path }: SigningKeySource, log: Logger): AuditSigner {
  return signerOf(seed === undefined ? readSeed(path, log) : decodeSeed(seed));
}

/** Returns the signer with this seed. */
export function signerOf(seed: Uint8Array): AuditSigner {
  const key = createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: spki.subarray(PUBLIC_PREFIX.length).toString("hex"),
    sign: (text) => sign(null, Buffer.from(text), key).toString("hex"),
    verify: verifyEd25519,
  };
}

/** Keys are few, and making one from bytes takes as long as a signature. */
const KEYS = new Map<string, KeyObject>();
const KEYS_MAX = 1_000;

/** Returns whether a signature fits; what is no key or no signature does not. */
export function verifyEd25519(publicKey: string, text: string, signature: string): boolean {
  try {
    return verify(null, Buffer.from(text), keyOf(publicKey), Buffer.from(signature, "hex"));
  } catch {
    return false;
  }
}

function keyOf(publicKey: string): KeyObject {
  const known = KEYS.get(publicKey);
  if (known) return known;
  const der = Buffer.concat([PUBLIC_PREFIX, Buffer.from(publicKey, "hex")]);
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  if (KEYS.size >= KEYS_MAX) KEYS.clear();
  KEYS.set(publicKey, key);
  return key;
}

function readSeed(path: string, log: Logger): Uint8Array {
  try {
    if (!existsSync(path)) makeSeed(path, log);
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) {
      const next = `let nobody else read it: chmod 600 ${path}`;
      throw new LatticeError(fault("INVALID_CONFIG", `others may read the audit signing key ${path}`, next));
    }
    const seed = readFileSync(path);
    if (seed.length === SEED_BYTES) return seed;
    const next = "make one with: head -c 32 /dev/urandom > FILE; or remove it, and the server makes one";
    throw new LatticeError(fault("INVALID_CONFIG", `${path} has ${seed.length} bytes, an Ed25519 seed has 32`, next));
  } catch (error) {
    if (error instanceof LatticeError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const next = "check quorum.audit_signing_key_path and who may read it";
    throw new LatticeError(fault("INVALID_CONFIG", `the audit signing key cannot be used: ${why}`, next));
  }
}

function makeSeed(path: string, log: Logger): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  const fd = openSync(path, "wx", 0o600);
  try {
    fchmodSync(fd, 0o600);
    writeSync(fd, randomBytes(SEED_BYTES));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  log.warn("there was no audit signing key: a fresh one was made", { path });
}

function decodeSeed(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length >= SEED_BYTES) return bytes.subarray(0, SEED_BYTES);
  throw new LatticeError(fault("INVALID_CONFIG", `quorum.audit_signing_key holds ${bytes.length} bytes, not 32`));
}
