/**
 * Words between the main loops of the servers, carried by the log's links: questions and
 * their answers, as JSON. Nothing here is in the log. What travels may be lost, so every
 * question has a time-out, and whoever says what is true says it again.
 */
import type { Fault, FaultReason, FaultSubject } from "../../../core/domain/errors.ts";
import { FAULTS, fault, LatticeError } from "../../../core/domain/errors.ts";
import type { MemberId } from "../../../core/raft/raft-types.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { Logger } from "../../../ports/log.ts";
import type { Replica } from "../replica.ts";
import type { Shape } from "./json-shape.ts";
import { maybe, number, record, text } from "./json-shape.ts";

/** A kind of question: its name, what is asked and what is answered. */
export interface Question<Ask, Answer> {
  readonly kind: string;
  readonly ask: Shape<Ask>;
  readonly answer: Shape<Answer>;
  /** How long the answer may take; two seconds when absent. */
  readonly timeoutMs?: number;
}

/** What a bus works with. */
export interface PeerBusParts {
  readonly replica: Pick<Replica, "status" | "relay" | "listen">;
  readonly clock: Clock;
  readonly log: Logger;
}

const TIMEOUT_MS = 2_000;

const NO_LEADER: Fault = {
  reason: "NO_QUORUM",
  message: "the servers have no leader at the moment",
  retryAfterMs: 500,
};

interface Ask {
  readonly id: number;
  readonly kind: string;
  readonly body: unknown;
}

/** One of `body` and `fault`. */
interface Reply {
  readonly re: number;
  readonly body?: unknown;
  readonly fault?: Fault;
}

/** A question that is out. */
interface Open {
  readonly to: MemberId;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: LatticeError) => void;
}

export class PeerBus {
  readonly #parts: PeerBusParts;
  readonly #answerers = new Map<string, (from: MemberId, body: unknown) => Promise<unknown>>();
  readonly #open = new Map<number, Open>();
  #sequence = 0;

  constructor(parts: PeerBusParts) {
    this.#parts = parts;
    parts.replica.listen({ onRelayed: (from, data) => this.#receive(from, data) });
  }

  /** Answers questions of this kind, whoever asks. What `answer` throws goes back as a fault. */
  answer<A, R>({ kind, ask }: Question<A, R>, answer: (from: MemberId, ask: A) => R | Promise<R>): void {
    this.#answerers.set(kind, async (from, body) => {
      if (ask(body)) return answer(from, body);
      throw new LatticeError(fault("INVALID_BODY", `server ${from} asks ${kind} in a way that this one does not know`));
    });
  }

  /** Asks a server, which may be this one. @throws NO_QUORUM when no answer comes, or the fault that comes back. */
  async ask<A, R>(question: Question<A, R>, to: MemberId, ask: A): Promise<R> {
    const { self } = this.#parts.replica.status;
    const body = await (to === self ? this.#answer(self, question.kind, ask) : this.#askOther(question, to, ask));
    if (question.answer(body)) return body;
    throw new LatticeError(fault("INTERNAL", `server ${to} gave an unknown answer to ${question.kind}`));
  }

  /** Asks the server that leads. @throws NO_QUORUM when there is none, or the fault that comes back. */
  async askLeader<A, R>(question: Question<A, R>, ask: A): Promise<R> {
    const { leader } = this.#parts.replica.status;
    if (leader === undefined) throw new LatticeError(NO_LEADER);
    return this.ask(question, leader, ask);
  }

  /** Returns the other servers. */
  others(): readonly MemberId[] {
    const { self, members } = this.#parts.replica.status;
    return members.map(({ id }) => id).filter((id) => id !== self);
  }

  #answer(from: MemberId, kind: string, body: unknown): Promise<unknown> {
    const answerer = this.#answerers.get(kind);
    if (answerer) return answerer(from, body);
    return Promise.reject(new LatticeError(fault("NOT_SUPPORTED", `this server does not know the question ${kind}`)));
  }

  async #askOther<A, R>({ kind, timeoutMs = TIMEOUT_MS }: Question<A, R>, to: MemberId, body: A): Promise<unknown> {
    const id = ++this.#sequence;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#open.set(id, { to, resolve, reject });
    const cancel = this.#parts.clock.after(timeoutMs, () => reject(new LatticeError(unanswered(to))));
    try {
      this.#send(to, { id, kind, body });
      return await promise;
    } finally {
      cancel();
      this.#open.delete(id);
    }
  }

  #receive(from: MemberId, data: Uint8Array): void {
    const message = parse(data);
    const isMember = this.#parts.replica.status.members.some(({ id }) => id === from);
    if (isMember && isAsk(message)) {
      void this.#reply(from, message);
    } else if (isMember && isReply(message)) {
      this.#settle(from, message);
    } else {
      const reason = isMember ? "it is not understood" : "its sender is no member";
      this.#parts.log.warn("a word from another server was dropped", { from, bytes: data.length, reason });
    }
  }

  async #reply(from: MemberId, { id, kind, body }: Ask): Promise<void> {
    try {
      this.#send(from, { re: id, body: (await this.#answer(from, kind, body)) ?? null });
    } catch (error) {
      const isFault = error instanceof LatticeError;
      if (!isFault) this.#parts.log.error("a question of another server failed", { from, kind, error });
      const cause = isFault ? error.fault : fault("INTERNAL", `server ${this.#parts.replica.status.self} failed`);
      this.#send(from, { re: id, fault: cause });
    }
  }

  /** An answer that comes late, twice or from somebody else changes nothing. */
  #settle(from: MemberId, { re, body, fault: cause }: Reply): void {
    const open = this.#open.get(re);
    if (open?.to !== from) return;
    if (cause) open.reject(new LatticeError(cause));
    else open.resolve(body);
  }

  #send(to: MemberId, message: Ask | Reply): void {
    this.#parts.replica.relay(to, new TextEncoder().encode(JSON.stringify(message)));
  }
}

function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    return undefined;
  }
}

const anything = (_: unknown): _ is unknown => true;
const isReason = (value: unknown): value is FaultReason => typeof value === "string" && Object.hasOwn(FAULTS, value);
const isSubject = record<FaultSubject>({ tenant: maybe(text), allocation: maybe(text), node: maybe(text) });
const isFault = record<Fault>({
  reason: isReason,
  message: text,
  next: maybe(text),
  retryAfterMs: maybe(number),
  about: maybe(isSubject),
});
const isAsk = record<Ask>({ id: number, kind: text, body: anything });
const isReply = record<Reply>({ re: number, body: anything, fault: maybe(isFault) });

const unanswered = (to: MemberId): Fault => ({
  reason: "NO_QUORUM",
  message: `server ${to} does not answer`,
  retryAfterMs: 500,
});
