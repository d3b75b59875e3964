/** AgentService: the stream of each agent, and the output that agents send when asked. */
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { AgentConnection } from "../../engine/server/agent-hub.ts";
import { acceptLogs, openAgentSession } from "../../engine/server/operations/agents/agent-session.ts";
import type { Server } from "../../engine/server/server.ts";
import type { AgentMessage, AgentService, LogChunk } from "../../gen/lattice/v1/agent_pb.ts";
import type { LogPiece, ServerMessage } from "../../ports/agent-link.ts";
import { agentMessageFromProto, helloFromProto, serverMessageToProto, WorkMemory } from "../../wire/assignment.ts";
import { logPieceFromProto } from "../../wire/log-piece.ts";
import { callOf } from "../auth/connect-gate.ts";
import { Outbox } from "./outbox.ts";

/** Returns the implementation. */
export function agentService(server: Server): ServiceImpl<typeof AgentService> {
  return {
    connect: (messages, context) => agentStream(server, messages, context),
    async sendLogs(chunks, context) {
      const iterator = chunks[Symbol.asyncIterator]();
      const { done, value: first } = await iterator.next();
      if (done) throw new LatticeError(fault("INVALID_BODY", "the stream of output is empty"));
      const pieces = piecesOf(first, iterator);
      await acceptLogs(server, callOf(context), { requestId: first.requestId, pieces });
      return {};
    },
  };
}

async function* agentStream(server: Server, messages: AsyncIterable<AgentMessage>, context: HandlerContext) {
  const iterator = messages[Symbol.asyncIterator]();
  const { done, value: first } = await iterator.next();
  if (done) throw new LatticeError(fault("INVALID_BODY", "the stream ended before its hello"));
  const outbox = new Outbox<ServerMessage>();
  const session = {
    send: (message: ServerMessage) => outbox.push(message),
    close: (reason: string) => outbox.end(new LatticeError(fault("ALREADY_EXISTS", reason))),
  };
  const connection = await openAgentSession(server, callOf(context), { hello: helloFromProto(first), session });
  // A generator that is blocked at a yield may never run its finally block: the signal always comes.
  const onGone = () => {
    connection.close();
    outbox.end();
  };
  context.signal.addEventListener("abort", onGone, { once: true });
  receiveAll(connection, iterator).then(
    () => outbox.end(),
    (error: unknown) => outbox.end(error),
  );
  const memory = new WorkMemory();
  try {
    for await (const message of outbox.read()) yield serverMessageToProto(message, memory);
  } finally {
    connection.close();
  }
}

async function receiveAll(connection: AgentConnection, iterator: AsyncIterator<AgentMessage>): Promise<void> {
  for (;;) {
    const { done, value } = await iterator.next();
    if (done) return;
    const message = agentMessageFromProto(value);
    if (message) connection.receive(message);
  }
}

async function* piecesOf(first: LogChunk, rest: AsyncIterator<LogChunk>): AsyncIterable<LogPiece> {
  let chunk = first;
  for (;;) {
    const piece = logPieceFromProto(chunk);
    if (piece) yield piece;
    const { done, value } = await rest.next();
    if (done) return;
    chunk = value;
  }
}
