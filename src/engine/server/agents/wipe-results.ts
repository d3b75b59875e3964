/** What agents say of wipes goes into the audit log together with the change of the node. */
import type { NodeId } from "../../../core/domain/ids.ts";
import type { AgentMessage } from "../../../ports/agent-link.ts";
import type { Auditor } from "../audit/auditor.ts";
import { SYSTEM_ACTOR } from "../audit/auditor.ts";
import type { LoopParts } from "../loop-parts.ts";

/** How a wipe went. */
export type Wiped = Extract<AgentMessage, { kind: "wiped" }>;

/** Takes in how a wipe went; false when it could not be stored and must be said again. */
export async function takeWipeResult(
  { replica, log, metrics }: LoopParts,
  auditor: Auditor,
  { node, said }: { readonly node: NodeId; readonly said: Wiped },
): Promise<boolean> {
  const { wipe, isDone, detail } = said;
  const order = replica.state.tables.nodes.get(node)?.wipe;
  if (order?.id !== wipe || order.hasFailed) return true;
  const action = isDone ? "lattice.wipe.completed" : "lattice.wipe.failed";
  const body = { kind: "record-wipe", node, wipe, isDone, detail } as const;
  try {
    await auditor.record({ action, actor: SYSTEM_ACTOR, target: { node } }, body);
    metrics.count("lattice_wipes_total", { result: isDone ? "done" : "failed" });
    if (!isDone) log.error("a node is quarantined: it could not be wiped", { node, detail });
    return true;
  } catch (error) {
    log.warn("the result of a wipe was not stored: it is asked for again", { node, error });
    return false;
  }
}
