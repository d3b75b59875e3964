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
}

/** The headers of every call, and its limits. */
export interface TransportOptions extends RetryBudget {
  readonly headers: Readonly<Record<string, string>>;
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

type Attempt<T> = (server: Server, header: Headers, leftMs: number) => Promise<T>;

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
      return caller.attempts(call, (server, header, leftMs) =>
        server.transport.unary(method, signal, Math.min(leftMs, share), header, input),
      );
    },
    async stream(...[method, signal, , , input]) {
      // Each attempt sends the request anew; what a caller streams cannot be sent twice.
      const requests = method.methodKind === "server_streaming" ? await Array.fromAsync(input) : undefined;
      const call = { method: method.name, signal, timeoutMs: requests ? options.timeoutMs : 0 };
      return caller.attempts(call, async (server, header) => {
        const sent = requests === undefined ? input : replay(requests);
        const opened = await server.transport.stream(method, signal, 0, header, sent);
        return { ...opened, message: await started(opened.message, server.endpoint) };
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
    const header = this.#headers(call);
    for (let made = 1; ; made++) {
      const server = present(this.servers[this.#current % this.servers.length], "the index is within the servers");
      const leftMs = Math.max(1, Math.ceil(call.timeoutMs - (this.host.now() - began)));
      try {
        return await run(server, header, leftMs);
      } catch (thrown) {
        const error = errorFromCall(thrown, server.endpoint);
        if (call.signal?.aborted) throw canceled(error);
        await this.#pauseBeforeRetry(error, { call, made, began });
      }
    }
  }

  #headers(call: Call): Headers {
    const header = new Headers(this.options.headers);
    if (!READS.test(call.method)) header.set(IDEMPOTENCY_KEY, this.host.uuid());
    return header;
  }

  /** Returns when the next attempt may be made. @throws `error` when there is to be none. */
  async #pauseBeforeRetry(
    error: LatticeError,
    { call, made, began }: { readonly call: Call; readonly made: number; readonly began: number },
  ): Promise<void> {
    const { host, servers } = this;
    const attempt = { made, elapsedMs: host.now() - began, endpoints: servers.length, random: host.random() };
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
async function started<T>(messages: AsyncIterable<T>, endpoint: string): Promise<AsyncIterable<T>> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  async function* all(): AsyncGenerator<T> {
    try {
      for (let item = first; item.done !== true; item = await iterator.next()) yield item.value;
    } catch (thrown) {
      throw errorFromCall(thrown, endpoint);
    } finally {
      await iterator.return?.();
    }
  }
  return all();
}
