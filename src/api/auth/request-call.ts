/** From a request's headers to the Call that every operation takes. */
import type { CertificateIdentity } from "../../core/access/certificate.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { LIMITS } from "../../core/domain/limits.ts";
import type { Principal } from "../../core/domain/principal.ts";
import type { Call } from "../../engine/server/call.ts";
import type { Caller, HeaderReader } from "./authenticate.ts";

const REQUEST_ID = /^[\w.-]{1,64}$/;
const KEY = /^[\x21-\x7e]+$/;

/** Returns the caller's request id when it is well-formed, else a fresh one. */
export function requestIdOf(headers: HeaderReader, uuid: () => string): string {
  const given = headers.get("x-request-id");
  return given !== null && REQUEST_ID.test(given) ? given : uuid();
}

/** Returns the caller's key for safe retries. @throws MALFORMED when it is no such key. */
export function idempotencyKeyOf(headers: HeaderReader): string | undefined {
  const key = headers.get("idempotency-key");
  if (key === null || key === "") return undefined;
  if (key.length > LIMITS.idempotencyKeyLengthMax || !KEY.test(key)) {
    const longest = LIMITS.idempotencyKeyLengthMax;
    throw new LatticeError(fault("MALFORMED", `idempotency-key must be 1 to ${longest} printable characters`));
  }
  return key;
}

/** Returns whether the caller takes data that may be behind. @throws MALFORMED for a word that nothing obeys. */
export function isStaleOf(headers: HeaderReader): boolean {
  const consistency = headers.get("x-lattice-consistency") ?? "linearizable";
  if (consistency === "linearizable" || consistency === "stale") return consistency === "stale";
  throw new LatticeError(fault("MALFORMED", "x-lattice-consistency must be stale or linearizable"));
}

/** A call whose abort signal is only made when somebody asks for it: most requests never do. */
export class RequestCall implements Call {
  readonly principal: Principal;
  readonly credentialEndsAt?: number;
  readonly idempotencyKey?: string;
  readonly isStale: boolean;
  readonly certificate?: CertificateIdentity;
  readonly from: string;

  constructor(
    { principal, validUntil }: Caller,
    readonly requestId: string,
    private readonly source: {
      readonly headers: HeaderReader;
      readonly signal: AbortSignal;
      readonly certificate?: CertificateIdentity | undefined;
      readonly from?: string;
    },
  ) {
    this.principal = principal;
    if (validUntil !== undefined) this.credentialEndsAt = validUntil;
    const key = idempotencyKeyOf(source.headers);
    if (key !== undefined) this.idempotencyKey = key;
    this.isStale = isStaleOf(source.headers);
    this.from = source.from ?? "";
    if (source.certificate !== undefined) this.certificate = source.certificate;
  }

  get signal(): AbortSignal {
    return this.source.signal;
  }
}
