/** Signatures of the fake world: quick, equal for equal texts, and wrong for any other text or key. */
import { sha256Hex } from "../base/sha256.ts";
import type { AuditSigner } from "../ports/audit-signer.ts";

const signatureOf = (publicKey: string, text: string): string => sha256Hex(`${publicKey} ${text}`);

/** Returns the signer of a server. */
export function fakeSigner(server: string): AuditSigner {
  const publicKey = sha256Hex(server);
  return {
    publicKey,
    sign: (text) => signatureOf(publicKey, text),
    verify: (key, text, signature) => signatureOf(key, text) === signature,
  };
}
