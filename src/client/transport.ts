/**
 * A Connect transport over several servers: fails over, retries by the error table
 * within the deadline, keeps one idempotency key over the retries of a write, and turns
 * every error into a LatticeError. Streams fail over until their first message; after
 * that, whoever reads decides how to go on.
 */
import type { DescMessage, DescMethodStreaming, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import type { StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
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

/** Returns one transport over `servers`, which has at least one. */
export function createResilientTransport(
  servers: readonly Server[],
  options: TransportOptions,
  host: TransportHost,
): Transport {
  let current = 0;

  async function attempts<T>(
    call: { readonly method: string; readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
    run: (server: Server, header: Headers, leftMs: number) => Promise<T>,
  ): Promise<T> {
    const began = host.now();
    const header = new Headers(options.headers);
    if (!READS.test(call.method) && !header.has(IDEMPOTENCY_KEY)) header.set(IDEMPOTENCY_KEY, host.uuid());
    const budget = { timeoutMs: call.timeoutMs, unreachableMs: options.unreachableMs };
    for (let made = 1; ; made++) {
      const server = serverAt(servers, current);
      const leftMs = Math.max(1, Math.ceil(call.timeoutMs - (host.now() - began)));
      try {
        return await run(server, header, leftMs);
      } catch (thrown) {
        const error = errorFromCall(thrown, server.endpoint);
        if (call.signal?.aborted) throw canceled(error);
        const elapsedMs = host.now() - began;
        const attempt = { made, elapsedMs, endpoints: servers.length, random: host.random() };
        const delay = retryDelay(error.fault, attempt, budget);
        if (isAboutServer(error.fault)) current++;
        if (delay === undefined) throw error;
        if (delay > 0) await host.sleep(delay, call.signal);
        if (call.signal?.aborted) throw canceled(error);
      }
    }
  }

  return {
    unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      _header: HeadersInit | undefined,
      input: MessageInitShape<I>,
    ): Promise<UnaryResponse<I, O>> {
      const call = { method: method.name, signal, timeoutMs: timeoutMs ?? options.timeoutMs };
      // With several servers, one that hangs must leave time for the others.
      const share = (leftMs: number) => (servers.length === 1 ? leftMs : Math.min(leftMs, call.timeoutMs / 2));
      return attempts(call, (server, header, leftMs) =>
        server.transport.unary(method, signal, share(leftMs), header, input),
      );
    },
    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      _timeoutMs: number | undefined,
      _header: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
    ): Promise<StreamResponse<I, O>> {
      // Each attempt sends the request anew; what a caller streams cannot be sent twice.
      const requests = method.methodKind === "server_streaming" ? await Array.fromAsync(input) : undefined;
      const call = { method: method.name, signal, timeoutMs: requests ? options.timeoutMs : 0 };
      return attempts(call, async (server, header) => {
        const sent = requests === undefined ? input : replay(requests);
        const opened = await server.transport.stream(method, signal, 0, header, sent);
        return { ...opened, message: await started(opened.message, server.endpoint) };
      });
    },
  };
}

function serverAt(servers: readonly Server[], index: number): Server {
  const server = servers[index % servers.length];
  if (server === undefined)
    throw new LatticeError({ reason: "SERVER_UNREACHABLE", message: "no server is configured" });
  return server;
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
