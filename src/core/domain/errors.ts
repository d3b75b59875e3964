/**
 * THE error catalogue: every outcome somebody can cause, with its Connect code, REST
 * status, CLI exit code and what a client may do. No other file writes a status number.
 * docs/reference/errors.md is generated from this table.
 */
import type { Result } from "../../base/result.ts";
import { err } from "../../base/result.ts";

/** The Connect/gRPC codes in use, by their wire names. */
export type RpcCode =
  | "invalid_argument"
  | "not_found"
  | "unauthenticated"
  | "permission_denied"
  | "already_exists"
  | "failed_precondition"
  | "aborted"
  | "resource_exhausted"
  | "unavailable"
  | "deadline_exceeded"
  | "unimplemented"
  | "canceled"
  | "internal"
  | "data_loss";

/** What a client does by itself: nothing, try again, or try again only with an idempotency key. */
export type RetryRule = "never" | "always" | "if-idempotent";

/** One row of the catalogue. */
export interface FaultSpec {
  readonly rpc: RpcCode;
  /** REST status. */
  readonly http: number;
  /** Exit code of the CLI. */
  readonly exit: number;
  readonly retry: RetryRule;
  /** What the caller does next, unless the fault says something more exact. */
  readonly next: string;
}

const spec = (rpc: RpcCode, http: number, exit: number, retry: RetryRule, next: string): FaultSpec => ({
  rpc,
  http,
  exit,
  retry,
  next,
});

/** Every fault, with its row. */
export const FAULTS = {
  INVALID_SPEC: spec("invalid_argument", 400, 3, "never", "correct the request"),
  INVALID_FLAGS: spec("invalid_argument", 400, 2, "never", "see --help"),
  INVALID_CONFIG: spec("invalid_argument", 400, 2, "never", "see: lattice-server config check"),
  INVALID_CURSOR: spec("invalid_argument", 400, 3, "never", "start again from the first page"),
  DAG_CYCLE: spec("invalid_argument", 400, 3, "never", "remove one of the dependencies named"),
  INVALID_BODY: spec("invalid_argument", 422, 3, "never", "send the fields that the API document lists"),
  MALFORMED: spec("invalid_argument", 400, 3, "never", "send well-formed JSON or protobuf"),
  TOO_LARGE: spec("invalid_argument", 413, 3, "never", "send less in one request"),
  UNSUPPORTED_MEDIA_TYPE: spec("invalid_argument", 415, 3, "never", "send content-type: application/json"),
  ALLOCATION_NOT_FOUND: spec("not_found", 404, 4, "never", "list allocations with: lattice status"),
  DAG_NOT_FOUND: spec("not_found", 404, 4, "never", "list workflows with: lattice dag list"),
  NODE_NOT_FOUND: spec("not_found", 404, 4, "never", "list nodes with: lattice nodes"),
  RESERVATION_NOT_FOUND: spec("not_found", 404, 4, "never", "list them with: lattice admin reserve list"),
  TENANT_NOT_FOUND: spec("not_found", 404, 4, "never", "list tenants with: lattice admin tenant list"),
  VCLUSTER_NOT_FOUND: spec("not_found", 404, 4, "never", "list vClusters with: lattice admin vcluster list"),
  ROUTE_NOT_FOUND: spec("not_found", 404, 4, "never", "see the API document at /openapi"),
  METHOD_NOT_ALLOWED: spec("unimplemented", 405, 3, "never", "see the API document at /openapi"),
  LOGS_NOT_AVAILABLE: spec("not_found", 404, 4, "never", "check that the allocation has started"),
  UNAUTHENTICATED: spec("unauthenticated", 401, 5, "never", "log in with: lattice login; or set LATTICE_TOKEN"),
  TOKEN_EXPIRED: spec(
    "unauthenticated",
    401,
    5,
    "never",
    "log in with: lattice login; or set LATTICE_TOKEN to a fresh token",
  ),
  FORBIDDEN: spec("permission_denied", 403, 5, "never", "ask an administrator for the role named"),
  ALREADY_EXISTS: spec("already_exists", 409, 6, "never", "choose another name or update the existing one"),
  IDEMPOTENCY_CONFLICT: spec("already_exists", 409, 6, "never", "use a fresh idempotency key for another request"),
  ILLEGAL_TRANSITION: spec("failed_precondition", 409, 6, "never", "look at the present state first"),
  DEPENDENCY_UNSATISFIABLE: spec("failed_precondition", 409, 6, "never", "submit without the dependency named"),
  VERSION_CONFLICT: spec("aborted", 409, 6, "always", "read again and repeat"),
  NODE_UNSUITABLE: spec("aborted", 409, 6, "never", "wait for the next scheduling pass"),
  QUOTA_EXCEEDED: spec("resource_exhausted", 409, 7, "never", "ask the tenant's administrator for a larger quota"),
  RATE_LIMITED: spec("resource_exhausted", 429, 7, "always", "wait for the time hinted"),
  OVERLOADED: spec("resource_exhausted", 429, 7, "always", "wait a moment and repeat"),
  NOT_LEADER: spec("unavailable", 503, 8, "always", "ask the leader named"),
  NO_QUORUM: spec("unavailable", 503, 8, "always", "wait for the servers to elect a leader"),
  SHUTTING_DOWN: spec("unavailable", 503, 8, "always", "ask another server"),
  AGENT_UNREACHABLE: spec("unavailable", 503, 8, "always", "check the agent of the node named"),
  SERVER_UNREACHABLE: spec("unavailable", 503, 8, "always", "check the address and that lattice-server runs there"),
  DEADLINE: spec("deadline_exceeded", 504, 9, "if-idempotent", "repeat with a longer time-out"),
  NOT_SUPPORTED: spec("unimplemented", 501, 10, "never", "this capability is not active in this build"),
  CANCELED: spec("canceled", 499, 130, "never", "repeat when wanted"),
  BACKUP_NOT_FOUND: spec("not_found", 404, 4, "never", "list backups with: lattice admin backup list"),
  BACKUP_FAILED: spec("internal", 500, 1, "never", "check backup.location: the folder or bucket, its rights and space"),
  BACKUP_DAMAGED: spec("data_loss", 500, 1, "never", "restore another backup: lattice admin backup list"),
  AUDIT_DAMAGED: spec("data_loss", 500, 1, "never", "see what is wrong with: lattice admin audit verify"),
  INTERNAL: spec("internal", 500, 1, "never", "report the request id to the operator"),
  CORRUPT_LOG: spec(
    "data_loss",
    500,
    1,
    "never",
    "replace this server as docs/operations/quorum.md says, or restore one that is alone from a backup",
  ),
} as const satisfies Record<string, FaultSpec>;

/** The name of a fault. Stable: programs branch on it. */
export type FaultReason = keyof typeof FAULTS;

/** An outcome somebody caused, as data. */
export interface Fault {
  readonly reason: FaultReason;
  /** What happened, with the value; lower case, no full stop. */
  readonly message: string;
  /** What to do, when it is more exact than the catalogue's advice. */
  readonly next?: string;
  /** Milliseconds after which a retry makes sense. */
  readonly retryAfterMs?: number;
  /** What was denied, for the audit log; callers are not told. */
  readonly about?: FaultSubject;
}

/** What somebody wanted to do something to. */
export interface FaultSubject {
  readonly tenant?: string;
  readonly allocation?: string;
  readonly node?: string;
}

/** Makes a fault. */
export const fault = (reason: FaultReason, message: string, next?: string): Fault =>
  next === undefined ? { reason, message } : { reason, message, next };

/** Makes a failed Result from a fault's parts. */
export const refuse = (reason: FaultReason, message: string, next?: string): Result<never, Fault> =>
  err(fault(reason, message, next));

/** Returns the advice that goes with a fault. */
export const nextStep = (f: Fault): string => f.next ?? FAULTS[f.reason].next;

/** A fault on its way through code that throws: `engine/`, `io/`, `api/`, `client/`, `cli/`. */
export class LatticeError extends Error {
  override readonly name = "LatticeError";
  constructor(
    readonly fault: Fault,
    options?: ErrorOptions,
  ) {
    super(fault.message, options);
  }
}
