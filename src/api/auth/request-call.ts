/** From a request's headers to the Call that every operation takes. */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { LIMITS } from "../../core/domain/limits.ts";
import type { Principal } from "../../core/domain/principal.ts";
import type { Call } from "../../engine/server/call.ts";
import type { HeaderReader } from "./authenticate.ts";

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

/** A call whose abort signal is only made when somebody asks for it: most requests never do. */
export class RequestCall implements Call {
  readonly idempotencyKey?: string;

  constructor(
    readonly principal: Principal,
    readonly requestId: string,
    private readonly source: { readonly headers: HeaderReader; readonly signal: AbortSignal },
  ) {
    const key = idempotencyKeyOf(source.headers);
    if (key !== undefined) this.idempotencyKey = key;
  }

  get signal(): AbortSignal {
    return this.source.signal;
  }
}
