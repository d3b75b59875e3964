/** Proposes for a caller: as that user, and under the caller's idempotency key when there is one. */
import { canonicalEncode } from "../../../base/canonical-encode.ts";
import { hashHex, hashText } from "../../../base/hash.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { LIMITS } from "../../../core/domain/limits.ts";
import type { CommandBody, IdempotencyKey, Output } from "../../../core/state/commands.ts";
import type { AuditedAct } from "../audit/auditor.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";

/** What is proposed, and the request that a retry must repeat. */
export interface Proposal {
  readonly operation: string;
  readonly request: unknown;
  readonly body: CommandBody;
  /** What is audited of it. */
  readonly act: AuditedAct | undefined;
}

/** Proposes and returns what it gave. A repeat under the same key gives the first outcome. */
export async function propose(server: Server, call: Call, proposal: Proposal): Promise<Output> {
  const { operation, request, body, act } = proposal;
  const idempotency = idempotencyOf(call, operation, request);
  const audit = act && (await server.auditor.entryOf(call, act));
  return server.replica.propose(body, call.principal.user, {
    ...(idempotency && { idempotency }),
    ...(audit && { audit }),
  });
}

/** Returns whether the caller repeats an operation whose outcome is known: it is proposed again to hear that one. */
export function isRepeat(server: Server, call: Call, operation: string): boolean {
  const { idempotency } = server.replica.state.tables;
  return call.idempotencyKey ? idempotency.has(keyOf(call, operation, call.idempotencyKey)) : false;
}

const keyOf = (call: Call, operation: string, key: string): string => `${call.principal.user}|${operation}|${key}`;

function idempotencyOf(call: Call, operation: string, request: unknown): IdempotencyKey | undefined {
  const key = call.idempotencyKey;
  if (key === undefined || key === "") return undefined;
  if (key.length > LIMITS.idempotencyKeyLengthMax) {
    throw new LatticeError(fault("INVALID_SPEC", `the idempotency key has ${key.length} characters`));
  }
  const fingerprint = hashHex(hashText(canonicalEncode(request)));
  return { key: keyOf(call, operation, key), fingerprint };
}
