/**
 * From whatever an operation threw to what each face sends: a ConnectError with metadata,
 * or application/problem+json. Codes and statuses come from the error catalogue alone. What
 * nobody foresaw becomes INTERNAL with the request id; its cause goes to the log only.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Fault, RpcCode } from "../core/domain/errors.ts";
import { FAULTS, fault, LatticeError, nextStep } from "../core/domain/errors.ts";
import type { Logger } from "../ports/log.ts";

/** The media type of REST errors (RFC 9457). */
export const PROBLEM_JSON = "application/problem+json";

/** How streams end when the server stops. */
export const SHUTTING_DOWN: Fault = fault("SHUTTING_DOWN", "the server is shutting down");

const CODES: Readonly<Record<RpcCode, Code>> = {
  invalid_argument: Code.InvalidArgument,
  not_found: Code.NotFound,
  unauthenticated: Code.Unauthenticated,
  permission_denied: Code.PermissionDenied,
  already_exists: Code.AlreadyExists,
  failed_precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  resource_exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  deadline_exceeded: Code.DeadlineExceeded,
  unimplemented: Code.Unimplemented,
  canceled: Code.Canceled,
  internal: Code.Internal,
  data_loss: Code.DataLoss,
};

/** Returns the fault behind `thrown`. What is no fault is logged under the request id and told as INTERNAL. */
export function faultOf(thrown: unknown, requestId: string, log: Logger): Fault {
  if (thrown instanceof LatticeError) {
    const { fault: known, cause } = thrown;
    if (known.reason === "INTERNAL")
      log.error("request failed", { requestId, reason: known.message, ...causeOf(cause) });
    return known;
  }
  if (thrown instanceof Error && thrown.name === "AbortError") return fault("CANCELED", "the caller went away");
  log.error("request failed", { requestId, ...causeOf(thrown) });
  return fault("INTERNAL", `internal error, request ${requestId}`);
}

function causeOf(cause: unknown) {
  if (cause === undefined) return {};
  return cause instanceof Error ? { cause: cause.message, stack: cause.stack } : { cause: String(cause) };
}

/** Returns the error that Connect, gRPC and gRPC-Web clients get. The gate has put the request id into the headers. */
export function connectErrorOf(of: Fault): ConnectError {
  return new ConnectError(of.message, CODES[FAULTS[of.reason].rpc], {
    "lattice-reason": of.reason,
    "lattice-next": headerText(nextStep(of)),
    ...retryHeaders(of),
  });
}

/** Returns the answer that REST clients get. */
export function problemOf(of: Fault, requestId: string, extra: Readonly<Record<string, string>> = {}): Response {
  const status = FAULTS[of.reason].http;
  const body = {
    type: `urn:lattice:fault:${of.reason}`,
    title: of.reason.toLowerCase().replaceAll("_", " "),
    status,
    error: of.message,
    code: of.reason,
    next: nextStep(of),
    request_id: requestId,
  };
  const headers = {
    "content-type": PROBLEM_JSON,
    "x-request-id": requestId,
    ...(FAULTS[of.reason].rpc === "unauthenticated" && { "www-authenticate": "Bearer" }),
    // RFC 9110 §10.2.3: a service that is away says when to come back.
    ...(FAULTS[of.reason].rpc === "unavailable" && { "retry-after": "1" }),
    ...retryHeaders(of),
    ...extra,
  };
  return new Response(JSON.stringify(body), { status, headers });
}

const retryHeaders = ({ retryAfterMs }: Fault): Readonly<Record<string, string>> =>
  retryAfterMs === undefined
    ? {}
    : { "retry-after": String(Math.ceil(retryAfterMs / 1000)), "lattice-retry-after-ms": String(retryAfterMs) };

/** Header values are printable ASCII; the message itself is free of that limit. */
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");
