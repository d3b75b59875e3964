/**
 * A Connect transport over several servers: fails over, retries by the error table
 * within the deadline, keeps one idempotency key over the retries of a write, and turns
 * every error into a LatticeError. Streams fail over until their first message; after
 * that, whoever reads decides how to go on.
 */
import type { Transport } from "@connectrpc/connect";
import { assert, present } from "../base/assert.ts";
import { LatticeError } from "../core/domain/errors.ts";
import { errorFromCall } from "./faults.ts";
import { whileAlive } from "./liveness.ts";
import type { RetryBudget } from "./retry.ts";
import { isAboutServer, retryDelay } from "./retry.ts";

/** One server and the way to it. */
export interface Server {
  readonly endpoint: string;
  readonly transport: Transport;
}

/** What the transport needs of the world. */
export interface TransportHost {
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly random: () => number;
  readonly uuid: () => string;
  /** Returns whether a server answers anything; absent: silence is waited through. */
  readonly isAlive?: (endpoint: string) => Promise<boolean>;
}

/** The headers of every call, and its limits. */
export interface TransportOptions extends RetryBudget {
  readonly headers: Readonly<Record<string, string>>;
  readonly token?: string | (() => Promise<string | undefined>) | undefined;
}

const IDEMPOTENCY_KEY = "idempotency-key";
/** Everything else is a write. */
const READS = /^(Get|List|Query|Lookup|Explain|Health|Watch|Stream|Compare|BackupVerify)/;

/** One call, over all of its attempts. */
interface Call {
  readonly method: string;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

/** What one attempt is made with. */
interface Ask {
  readonly server: Server;
  readonly header: Headers;
  readonly leftMs: number;
  readonly signal: AbortSignal | undefined;
}

/** How a call has gone so far. */
interface Progress {
  readonly call: Call;
  readonly made: number;
  readonly began: number;
  /** Whether any server has answered anything. */
  readonly hasAnswer: boolean;
}

type Attempt<T> = (ask: Ask) => Promise<T>;

/** Returns one transport over `servers`, which has at least one. */
export function createResilientTransport(
  servers: readonly Server[],
  options: TransportOptions,
  host: TransportHost,
): Transport {
  const caller = new Caller(servers, options, host);
  return {
    unary(...[method, signal, timeoutMs, , input]) {
      const call = { method: method.name, signal, timeoutMs: timeoutMs ?? options.timeoutMs };
      // With several servers, one that hangs must leave time for the others.
      const share = servers.length === 1 ? call.timeoutMs : Math.ceil(call.timeoutMs / 2);
      return caller.attempts(call, (ask) =>
        ask.server.transport.unary(method, ask.signal, Math.min(ask.leftMs, share), ask.header, input),
      );
    },
    async stream(...[method, signal, , , input]) {
      // Each attempt sends the request anew; what a caller streams cannot be sent twice.
      const requests = method.methodKind === "server_streaming" ? await Array.fromAsync(input) : undefined;
      const call = { method: method.name, signal, timeoutMs: requests ? options.timeoutMs : 0 };
      return caller.attempts(call, async ({ server, header, signal: ending }) => {
        const sent = requests === undefined ? input : replay(requests);
        const opened = await server.transport.stream(method, ending, 0, header, sent);
        const { endpoint } = server;
        const message = await started(opened.message, endpoint, (next) => caller.answered(next, endpoint));
        return { ...opened, message };
      });
    },
  };
}

class Caller {
  /** Index of the server that is asked next; it stays with one that answers. */
  #current = 0;

  constructor(
    private readonly servers: readonly Server[],
    private readonly options: TransportOptions,
    private readonly host: TransportHost,
  ) {
    assert(servers.length > 0, "a client needs the address of a server");
  }

  async attempts<T>(call: Call, run: Attempt<T>): Promise<T> {
    const began = this.host.now();
    const header = await this.#headers(call);
    let hasAnswer = false;
    for (let made = 1; ; made++) {
      const server = present(this.servers[this.#current % this.servers.length], "the index is within the servers");
      const leftMs = Math.max(1, Math.ceil(call.timeoutMs - (this.host.now() - began)));
      try {
        return await this.#ask(call, run, { server, header, leftMs });
      } catch (thrown) {
        const error = errorFromCall(thrown, server.endpoint);
        if (call.signal?.aborted) throw canceled(error);
        hasAnswer ||= error.fault.reason !== "SERVER_UNREACHABLE";
        await this.#pauseBeforeRetry(error, { call, made, began, hasAnswer });
      }
    }
  }

  /** Returns what `answer` gives; where there is another server, this one has to be alive. */
  answered<T>(answer: Promise<T>, endpoint: string): Promise<T> {
    const { isAlive, sleep } = this.host;
    return isAlive === undefined || this.servers.length === 1
      ? answer
      : whileAlive(answer, endpoint, { isAlive, sleep });
  }

  /** Makes one attempt; one that is given up for its server's silence is ended. */
  async #ask<T>({ signal }: Call, run: Attempt<T>, ask: Omit<Ask, "signal">): Promise<T> {
    if (this.host.isAlive === undefined || this.servers.length === 1) return run({ ...ask, signal });
    const stop = new AbortController();
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    try {
      return await this.answered(run({ ...ask, signal: either }), ask.server.endpoint);
    } catch (error) {
      stop.abort();
      throw error;
    }
  }

  async #headers(call: Call): Promise<Headers> {
    const header = new Headers(this.options.headers);
    const { token: given } = this.options;
    const token = typeof given === "function" ? await given() : given;
    if (token !== undefined) header.set("authorization", `Bearer ${token}`);
    if (!READS.test(call.method)) header.set(IDEMPOTENCY_KEY, this.host.uuid());
    return header;
  }

  /** Returns when the next attempt may be made. @throws `error` when there is to be none. */
  async #pauseBeforeRetry(error: LatticeError, { call, made, began, hasAnswer }: Progress): Promise<void> {
    const { host, servers } = this;
    const elapsedMs = host.now() - began;
    const attempt = { made, elapsedMs, endpoints: servers.length, random: host.random(), hasAnswer };
    const delay = retryDelay(error.fault, attempt, { ...this.options, timeoutMs: call.timeoutMs });
    if (isAboutServer(error.fault)) this.#current++;
    if (delay === undefined) throw error;
    if (delay > 0) await host.sleep(delay, call.signal);
    if (call.signal?.aborted) throw canceled(error);
  }
}

const canceled = (cause: LatticeError): LatticeError =>
  new LatticeError({ reason: "CANCELED", message: "cancelled" }, { cause });

async function* replay<T>(requests: readonly T[]): AsyncGenerator<T> {
  yield* requests;
}

/** Waits for the first message, so that an error before it can be retried; later errors are converted. */
async function started<T>(
  messages: AsyncIterable<T>,
  endpoint: string,
  answered: <R>(next: Promise<R>) => Promise<R>,
): Promise<AsyncIterable<T>> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  async function* all(): AsyncGenerator<T> {
    try {
      for (let item = first; item.done !== true; item = await answered(iterator.next())) yield item.value;
    } catch (thrown) {
      throw errorFromCall(thrown, endpoint);
    } finally {
      await iterator.return?.();
    }
  }
  return all();
}
