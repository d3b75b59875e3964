/** The key with which this server signs audit entries, and how signatures of all servers are checked. */
import type { VerifySignature } from "../core/audit/chain.ts";

export interface AuditSigner {
  /** Raw Ed25519 public key in hexadecimal. */
  readonly publicKey: string;
  /** Returns the signature over the text's UTF-8 bytes, in hexadecimal. */
  sign(text: string): string;
  readonly verify: VerifySignature;
}
