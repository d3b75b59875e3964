/** The call that an agent's stream begins with. */
import type { NodeId } from "../../core/domain/ids.ts";
import { userId } from "../../core/domain/ids.ts";
import type { Call } from "../../engine/server/call.ts";

const NEVER_GONE = new AbortController().signal;

/** Returns the call of the agent of a node. */
export const callOfAgent = (node: NodeId): Call => ({
  principal: { user: userId("agent"), role: "agent", node },
  requestId: "sim",
  signal: NEVER_GONE,
});
