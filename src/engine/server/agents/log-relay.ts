/**
 * Output on its way from an agent to whoever asked. The request goes out on the agent's
 * stream, by way of the server that holds it; the answer comes back on a stream that the
 * agent opens to the server that was asked, and the two meet here by the request's id.
 */
import type { Fault } from "../../../core/domain/errors.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { NodeId } from "../../../core/domain/ids.ts";
import type { AgentSession, LogPiece, LogRequest } from "../../../ports/agent-link.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { PeerBus } from "../peers/peer-bus.ts";
import { RELAY_LOG_CANCEL, RELAY_LOG_REQUEST } from "./agent-signs.ts";

const ANSWER_TIMEOUT_MS = 10_000;

type Answer = AsyncIterable<LogPiece>;

interface Waiting {
  readonly answer: (pieces: Answer) => void;
  readonly done: Promise<void>;
}

/** What a relay works with. */
export interface LogRelayParts {
  readonly clock: Clock;
  readonly bus: PeerBus;
  /** HOST:PORT at which agents reach this server. */
  readonly advertise: string;
  /** Returns the stream of the node's agent when it ends here. */
  readonly sessionOf: (node: NodeId) => AgentSession | undefined;
}

export class LogRelay {
  readonly #parts: LogRelayParts;
  readonly #waiting = new Map<string, Waiting>();

  constructor(parts: LogRelayParts) {
    this.#parts = parts;
  }

  /** Passes on what other servers ask of the agents here. */
  start(): void {
    const { bus, sessionOf } = this.#parts;
    bus.answer(RELAY_LOG_REQUEST, (_, { node, request }) => {
      const session = sessionOf(node);
      session?.send({ kind: "log-request", request });
      return { ok: session !== undefined };
    });
    bus.answer(RELAY_LOG_CANCEL, (_, { node, requestId }) => {
      const session = sessionOf(node);
      session?.send({ kind: "log-cancel", requestId });
      return { ok: session !== undefined };
    });
  }

  /**
   * Asks the agent of `node`, wherever its stream ends, and yields what it sends.
   * @throws AGENT_UNREACHABLE when it does not answer, LOGS_NOT_AVAILABLE when it has none.
   */
  async *request(
    node: NodeId,
    { request, signal }: { readonly request: LogRequest; readonly signal: AbortSignal },
  ): AsyncIterable<LogPiece> {
    const answered = Promise.withResolvers<Answer>();
    const done = Promise.withResolvers<void>();
    // A reader that leaves before the answer comes must not leave an unhandled rejection behind.
    answered.promise.catch(() => {});
    this.#waiting.set(request.requestId, { answer: answered.resolve, done: done.promise });
    const late = fault("AGENT_UNREACHABLE", `the agent of node ${node} did not answer in time`);
    const cancelTimer = this.#parts.clock.after(ANSWER_TIMEOUT_MS, () => answered.reject(new LatticeError(late)));
    let withdraw = () => {};
    const onAbort = () => {
      answered.reject(new LatticeError(fault("CANCELED", "the reader has gone")));
      withdraw();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      withdraw = await this.#ask(node, request);
      if (signal.aborted) onAbort();
      const pieces = await answered.promise;
      cancelTimer();
      yield* relayed(node, pieces);
    } finally {
      cancelTimer();
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(request.requestId);
      if (!signal.aborted) withdraw();
      done.resolve();
    }
  }

  /** Joins the agent's answer to the request; returns when the reader has had it all. */
  async accept(requestId: string, pieces: Answer): Promise<void> {
    const waiting = this.#waiting.get(requestId);
    if (!waiting) throw new LatticeError(fault("LOGS_NOT_AVAILABLE", `nobody waits for the output ${requestId}`));
    waiting.answer(pieces);
    await waiting.done;
  }

  /** Brings the request to the agent; returns what takes it back. */
  async #ask(node: NodeId, request: LogRequest): Promise<() => void> {
    const { sessionOf, bus, advertise } = this.#parts;
    const { requestId } = request;
    const session = sessionOf(node);
    if (session) {
      session.send({ kind: "log-request", request });
      return () => session.send({ kind: "log-cancel", requestId });
    }
    const relayedRequest = { node, request: { ...request, uploadTo: advertise } };
    const holder = await Promise.any(
      bus.others().map(async (server) => {
        const { ok } = await bus.ask(RELAY_LOG_REQUEST, server, relayedRequest);
        if (!ok) throw new LatticeError(notConnected(node));
        return server;
      }),
    ).catch(() => {
      throw new LatticeError(notConnected(node));
    });
    return () => void bus.ask(RELAY_LOG_CANCEL, holder, { node, requestId }).catch(() => {});
  }
}

const notConnected = (node: NodeId): Fault => fault("AGENT_UNREACHABLE", `the agent of node ${node} is not connected`);

/** An answer that breaks off is the agent's connection breaking, whatever the transport calls it. */
async function* relayed(node: NodeId, pieces: Answer): AsyncIterable<LogPiece> {
  try {
    yield* pieces;
  } catch (cause) {
    if (cause instanceof LatticeError) throw cause;
    const text = `the agent of node ${node} broke off while sending output`;
    throw new LatticeError(fault("AGENT_UNREACHABLE", text, "ask again"), { cause });
  }
}
