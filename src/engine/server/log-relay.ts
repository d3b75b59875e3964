/**
 * Output on its way from an agent to whoever asked: the request goes out on the agent's
 * stream, the answer comes back on a stream that the agent opens, and the two meet here
 * by the request's id.
 */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { NodeId } from "../../core/domain/ids.ts";
import type { AgentSession, LogPiece, LogRequest } from "../../ports/agent-link.ts";
import type { Clock } from "../../ports/clock.ts";

const ANSWER_TIMEOUT_MS = 10_000;

type Answer = AsyncIterable<LogPiece>;

interface Waiting {
  readonly answer: (pieces: Answer) => void;
  readonly done: Promise<void>;
}

export class LogRelay {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Asks the agent of `node` and yields what it sends.
   * @throws AGENT_UNREACHABLE when it does not answer, LOGS_NOT_AVAILABLE when it has none.
   */
  async *request(
    node: NodeId,
    session: AgentSession,
    options: { readonly request: LogRequest; readonly signal: AbortSignal },
  ): AsyncIterable<LogPiece> {
    const { request, signal } = options;
    let finish = () => {};
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let cancel = () => {};
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(request.requestId, { answer: resolve, done });
      const late = () =>
        reject(new LatticeError(fault("AGENT_UNREACHABLE", `the agent of node ${node} did not answer in time`)));
      cancel = this.#clock.after(ANSWER_TIMEOUT_MS, late);
      signal.addEventListener("abort", () => reject(new LatticeError(fault("CANCELED", "the reader has gone"))));
    });
    // A reader that leaves before the answer comes must not leave an unhandled rejection behind.
    answered.catch(() => {});
    const onAbort = () => session.send({ kind: "log-cancel", requestId: request.requestId });
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      session.send({ kind: "log-request", request });
      const pieces = await answered;
      cancel();
      yield* relayed(node, pieces);
    } finally {
      cancel();
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(request.requestId);
      if (!signal.aborted) onAbort();
      finish();
    }
  }

  /** Joins the agent's answer to the request; returns when the reader has had it all. */
  async accept(requestId: string, pieces: Answer): Promise<void> {
    const waiting = this.#waiting.get(requestId);
    if (!waiting) throw new LatticeError(fault("LOGS_NOT_AVAILABLE", `nobody waits for the output ${requestId}`));
    waiting.answer(pieces);
    await waiting.done;
  }
}

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
