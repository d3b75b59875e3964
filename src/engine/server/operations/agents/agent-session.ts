/** The agents' side of the API: their stream, and the output they send when asked. */

import { nodeDefect } from "../../../../core/access/certificate.ts";
import { fault, LatticeError } from "../../../../core/domain/errors.ts";
import type { AgentHello, AgentSession, LogPiece } from "../../../../ports/agent-link.ts";
import type { AgentConnection } from "../../agent-hub.ts";
import type { Call } from "../../call.ts";
import type { Server } from "../../server.ts";
import { demand } from "../access.ts";

const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;

/** Takes in an agent's stream. @throws FORBIDDEN, ALREADY_EXISTS, INVALID_SPEC. */
export function openAgentSession(
  server: Server,
  call: Call,
  { hello, session }: { readonly hello: AgentHello; readonly session: AgentSession },
): Promise<AgentConnection> {
  const { nodeId, capacity, address } = hello.registration;
  demand(call, "agent.connect", { node: nodeId });
  const defect = call.certificate && nodeDefect(call.certificate, { node: nodeId, address });
  if (defect) throw new LatticeError(defect);
  if (!NODE_ID.test(nodeId)) {
    throw new LatticeError(fault("INVALID_SPEC", `${JSON.stringify(nodeId)} is no node id`, "use a host name"));
  }
  const amounts = [capacity.cpus, capacity.memoryBytes, capacity.gpuMilli];
  if (!amounts.every((n) => Number.isSafeInteger(n) && n >= 0) || capacity.cpus < 1) {
    throw new LatticeError(fault("INVALID_SPEC", `node ${nodeId} has an impossible capacity`));
  }
  return server.agents.open(hello, session);
}

/** Joins output that an agent sends to the reader who asked for it. */
export function acceptLogs(
  server: Server,
  call: Call,
  { requestId, pieces }: { readonly requestId: string; readonly pieces: AsyncIterable<LogPiece> },
): Promise<void> {
  demand(call, "agent.connect");
  return server.agents.logs.accept(requestId, pieces);
}
