/**
 * The state machine: what a committed command does to the state. The only writer of
 * replicated state. `apply` mutates the state it is given (which one loop owns) and reads
 * nothing but its arguments, so that every server ends in the same state, byte for byte.
 */
import type { LogIndex } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import { err, ok } from "../../base/result.ts";
import { refuse } from "../domain/errors.ts";
import { DEFAULT_TENANT, DEFAULT_VCLUSTER, DEFAULT_WEIGHTS } from "../domain/tenant.ts";
import type { Applying } from "./applying.ts";
import { writeMeta } from "./applying.ts";
import type { Command, CommandBody, CommandKind, Outcome } from "./commands.ts";
import type { StateEvent } from "./events.ts";
import { archive, forgetIdempotency } from "./handlers/archive.ts";
import {
  appendAudit,
  archiveAudit,
  recordAudit,
  registerAuditKey,
  retireAudit,
  whyUnverifiable,
} from "./handlers/audit.ts";
import { cancel, cancelDag, enforceStop, updateWalltime } from "./handlers/cancel.ts";
import { disableNode, drainNode, enableNode, registerNode, setNodeHealth, undrainNode } from "./handlers/nodes.ts";
import { assignNodes } from "./handlers/placement.ts";
import { preemptAllocations, releaseHold } from "./handlers/preemption.ts";
import { recordNodeReports, recordReports } from "./handlers/reports.ts";
import { deleteReservation, reserveNodes } from "./handlers/reservations.ts";
import { scaleService } from "./handlers/scale.ts";
import { claimNode, recordWipe, releaseNode } from "./handlers/sensitive-claims.ts";
import { submitAllocation, submitDag, submitTaskGroup } from "./handlers/submit.ts";
import { createTenant, createVCluster, updateTenant, updateVCluster } from "./handlers/tenants.ts";
import { setUsageHalfLife } from "./handlers/usage.ts";
import { settle } from "./settle.ts";
import type { State } from "./state.ts";
import { metaOf } from "./state.ts";

/** What a command did. */
export interface Applied {
  readonly outcome: Outcome;
  readonly events: readonly StateEvent[];
}

type Bodies = { readonly [K in CommandKind]: Extract<CommandBody, { kind: K }> };
type Handlers = { readonly [K in CommandKind]: (ctx: Applying, command: Bodies[K]) => Outcome };

const HANDLERS: Handlers = {
  "initialize-cluster": initializeCluster,
  "submit-allocation": submitAllocation,
  "submit-dag": submitDag,
  "submit-task-group": submitTaskGroup,
  cancel,
  "cancel-dag": cancelDag,
  "update-walltime": updateWalltime,
  "assign-nodes": assignNodes,
  "preempt-allocations": preemptAllocations,
  "release-hold": releaseHold,
  "scale-service": scaleService,
  "record-reports": recordReports,
  "record-node-reports": recordNodeReports,
  "stop-allocation": enforceStop,
  "register-node": registerNode,
  "set-node-health": setNodeHealth,
  "drain-node": drainNode,
  "undrain-node": undrainNode,
  "disable-node": disableNode,
  "enable-node": enableNode,
  "claim-node": claimNode,
  "release-node": releaseNode,
  "record-wipe": recordWipe,
  "create-tenant": createTenant,
  "update-tenant": updateTenant,
  "create-vcluster": createVCluster,
  "update-vcluster": updateVCluster,
  "reserve-nodes": reserveNodes,
  "delete-reservation": deleteReservation,
  "set-usage-half-life": setUsageHalfLife,
  archive,
  "forget-idempotency": forgetIdempotency,
  "record-audit": recordAudit,
  "register-audit-key": registerAuditKey,
  "retire-audit": retireAudit,
  "archive-audit": archiveAudit,
};

/** Applies the command committed at `index`. A refusal changes nothing and is equal on every server. */
export function apply(state: State, index: LogIndex, command: Command): Applied {
  const at = millis(Math.max(command.at, metaOf(state).time));
  const remembered = recall(state, command);
  if (remembered) return { outcome: remembered, events: [] };
  const ctx: Applying = { state, index, at, by: command.by, events: [], agenda: [] };
  const unverifiable = whyUnverifiable(state, command);
  const outcome = unverifiable ? err(unverifiable) : dispatch(ctx, command.kind, command);
  settle(ctx);
  if (command.audit && !unverifiable) appendAudit(ctx, command.audit, outcome);
  if (at > metaOf(state).time) writeMeta(ctx, { time: at });
  if (command.idempotency) {
    const { key, fingerprint } = command.idempotency;
    state.tables.idempotency.put(key, { fingerprint, outcome, at });
  }
  return { outcome, events: ctx.events };
}

function dispatch<K extends CommandKind>(ctx: Applying, kind: K, command: Bodies[K]): Outcome {
  return HANDLERS[kind](ctx, command);
}

/** Returns the first outcome under the command's key, or a conflict when the request differs. */
function recall(state: State, command: Command): Outcome | undefined {
  if (!command.idempotency) return undefined;
  const remembered = state.tables.idempotency.get(command.idempotency.key);
  if (!remembered) return undefined;
  if (remembered.fingerprint === command.idempotency.fingerprint) return remembered.outcome;
  return refuse("IDEMPOTENCY_CONFLICT", "the idempotency key was used for another request");
}

/** First entry of a cluster. Repeating it changes nothing. */
function initializeCluster(ctx: Applying, command: Extract<CommandBody, { kind: "initialize-cluster" }>): Outcome {
  if (metaOf(ctx.state).clusterId !== "") return ok({ kind: "done" });
  const { clusterId, usageHalfLifeMs } = command;
  writeMeta(ctx, { clusterId, ...(usageHalfLifeMs !== undefined && { usageHalfLifeMs }) });
  createTenant(ctx, {
    kind: "create-tenant",
    tenant: DEFAULT_TENANT,
    name: DEFAULT_TENANT,
    quota: { nodesMax: 1_000_000, fairShareTarget: 0 },
    isolation: "standard",
  });
  return createVCluster(ctx, {
    kind: "create-vcluster",
    vcluster: DEFAULT_VCLUSTER,
    tenant: DEFAULT_TENANT,
    name: DEFAULT_VCLUSTER,
    schedulerType: "hpc_backfill",
    weights: DEFAULT_WEIGHTS,
    dedicatedNodes: [],
    allowsBorrowing: true,
    allowsLending: true,
    sharesNodes: false,
  });
}
