/**
 * Turns whatever a call threw into one LatticeError. Servers name the reason in the
 * metadata; the Connect code decides only where they do not (another server, a proxy).
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Fault, FaultReason } from "../core/domain/errors.ts";
import { FAULTS, LatticeError } from "../core/domain/errors.ts";

/** Names of the metadata that carry a fault beside its code and message. */
export const FAULT_HEADERS = {
  reason: "lattice-reason",
  next: "lattice-next",
  retryAfterMs: "lattice-retry-after-ms",
  requestId: "x-request-id",
} as const;

const BY_CODE: Readonly<Partial<Record<Code, FaultReason>>> = {
  [Code.Canceled]: "CANCELED",
  [Code.InvalidArgument]: "INVALID_SPEC",
  [Code.DeadlineExceeded]: "DEADLINE",
  [Code.NotFound]: "ROUTE_NOT_FOUND",
  [Code.AlreadyExists]: "ALREADY_EXISTS",
  [Code.PermissionDenied]: "FORBIDDEN",
  [Code.ResourceExhausted]: "OVERLOADED",
  [Code.FailedPrecondition]: "ILLEGAL_TRANSITION",
  [Code.Aborted]: "VERSION_CONFLICT",
  [Code.Unimplemented]: "NOT_SUPPORTED",
  [Code.Unavailable]: "SERVER_UNREACHABLE",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/** Returns the error that a call to `endpoint` ended with. */
export function errorFromCall(thrown: unknown, endpoint: string): LatticeError {
  if (thrown instanceof LatticeError) return thrown;
  const error = ConnectError.from(thrown);
  if (error.cause instanceof LatticeError) return error.cause;
  const named = error.metadata.get(FAULT_HEADERS.reason) ?? "";
  if (isFaultReason(named)) return new LatticeError(faultFrom(error, named), { cause: thrown });
  if (isBrokenConnection(error)) return unreachable(endpoint, error.cause ?? error);
  const reason = BY_CODE[error.code] ?? "INTERNAL";
  return new LatticeError({ reason, message: withoutServer(error, reason, endpoint) }, { cause: thrown });
}

/** Returns the error of a connection to `endpoint` that could not be made or broke. */
export function unreachable(endpoint: string, cause: unknown): LatticeError {
  const code = cause instanceof Error && "code" in cause ? `${cause.code}: ` : "";
  const detail = cause instanceof Error ? `${code}${cause.message}` : String(cause);
  const message = `no answer from ${endpoint}: ${plainNetworkError(detail)}`;
  const next = "start lattice-server there, or name another server with --server or LATTICE_SERVER";
  return new LatticeError({ reason: "SERVER_UNREACHABLE", message, next }, { cause });
}

/** A connection that breaks in the middle of an answer shows as a foreign error, or as an answer without its end. */
function isBrokenConnection({ cause, rawMessage }: ConnectError): boolean {
  const hasSystemCode = cause instanceof Error && "code" in cause && typeof cause.code === "string";
  return hasSystemCode || /ECONN|socket connection|missing EndStreamResponse|premature end/i.test(rawMessage);
}

const isFaultReason = (text: string): text is FaultReason => Object.hasOwn(FAULTS, text);

function faultFrom(error: ConnectError, reason: FaultReason): Fault {
  const next = error.metadata.get(FAULT_HEADERS.next);
  const hint = Number(error.metadata.get(FAULT_HEADERS.retryAfterMs) ?? Number.NaN);
  const seconds = Number(error.metadata.get("retry-after") ?? Number.NaN);
  const retryAfterMs = Number.isFinite(hint) ? hint : seconds * 1000;
  const requestId = error.metadata.get(FAULT_HEADERS.requestId);
  const isOurs = reason === "INTERNAL" && requestId !== null;
  return {
    reason,
    message: isOurs ? `${error.rawMessage} (request ${requestId})` : error.rawMessage,
    ...(next === null ? {} : { next: decoded(next) }),
    ...(Number.isFinite(retryAfterMs) ? { retryAfterMs } : {}),
  };
}

/** An answer without a reason did not come from Lattice, which the message should say. */
function withoutServer(error: ConnectError, reason: FaultReason, endpoint: string): string {
  if (reason === "DEADLINE") return `no answer from ${endpoint} in time`;
  if (reason === "CANCELED") return "cancelled";
  return `${endpoint} answered: ${error.rawMessage}`;
}

/** Header values are ASCII; others travel percent-encoded. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

const CERTIFICATE_ERRORS: readonly (readonly [RegExp, string])[] = [
  [/ALTNAME/i, "the server's certificate is refused: it is not for this host name"],
  [
    /SELF.SIGNED|UNABLE_TO_(VERIFY|GET)|unable to (verify|get)/i,
    "the server's certificate is refused: its authority is not known: name it with --ca",
  ],
  [/CERT_HAS_EXPIRED|certificate has expired/i, "the server's certificate is refused: it has expired"],
  [
    /EPROTO|TLS handshake/i,
    "the TLS handshake failed: the server may speak no TLS, or want a client certificate (--cert, --key)",
  ],
];

function plainNetworkError(detail: string): string {
  const certificate = CERTIFICATE_ERRORS.find(([sign]) => sign.test(detail));
  if (certificate !== undefined) return certificate[1];
  if (/refused|unable to connect/i.test(detail)) return "the connection was refused";
  if (/ENOTFOUND|getaddrinfo|dns|resolve/i.test(detail)) return "the host name is unknown";
  if (/closed unexpectedly|reset|EndStream|premature/i.test(detail)) return "the connection was closed";
  return detail.replace(/\.$/, "");
}
