/** The servers' authority over certificates of agents. `io/ca` has the implementation. */

/** What a join token says: which node, where it is found, until when. */
export interface JoinClaims {
  /** Names the token among all, so that it is used once. */
  readonly id: string;
  readonly node: string;
  /** Host names and IP addresses besides the node's id. */
  readonly addresses: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** A certificate that is wanted. */
export interface Signing {
  /** PKCS#10, DER; only its key counts. */
  readonly csr: Uint8Array;
  readonly node: string;
  readonly addresses: readonly string[];
  /** When it begins, in milliseconds since the epoch. */
  readonly at: number;
}

/** A certificate that was signed, PEM, and whose it is. */
export interface SignedCertificate {
  readonly certificate: string;
  readonly ca: string;
}

export interface CertificateAuthority {
  issueToken(claims: JoinClaims): Promise<string>;
  /** @throws UNAUTHENTICATED or TOKEN_EXPIRED. */
  readToken(token: string, now: number): Promise<JoinClaims>;
  /** Returns a text that names the key of a request, whose holder has signed it. @throws INVALID_SPEC. */
  keyOf(csr: Uint8Array): Promise<string>;
  /** Returns whether the authority's key has signed a certificate (DER). */
  hasSigned(certificate: Uint8Array): boolean;
  /** @throws INVALID_SPEC. */
  sign(signing: Signing): Promise<SignedCertificate>;
}
