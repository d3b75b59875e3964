/**
 * Shows what the client does when calls fail, over in-memory servers: it fails over,
 * keeps one idempotency key, waits as told, gives up at the deadline, and throws
 * LatticeErrors only. Time is a counter that sleeping moves.
 */
import { expect, test } from "bun:test";
import { Code, ConnectError, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { clientOver } from "../../../src/client/client.ts";
import { unreachable } from "../../../src/client/faults.ts";
import type { TransportHost } from "../../../src/client/transport.ts";
import { type Fault, LatticeError } from "../../../src/core/domain/errors.ts";
import { AllocationService } from "../../../src/gen/lattice/v1/allocations_pb.ts";

type Answer = (call: number, context: HandlerContext) => void;

interface World {
  readonly host: TransportHost;
  readonly slept: number[];
}

function aWorld(): World {
  const slept: number[] = [];
  let now = 0;
  let ids = 0;
  const host = {
    now: () => now,
    random: () => 0,
    uuid: () => `key-${++ids}`,
    sleep: async (ms: number) => {
      slept.push(ms);
      now += ms;
    },
  };
  return { host, slept };
}

/** A server whose n-th call is judged by `answer`, which throws or lets it succeed. */
function aServer(endpoint: string, answer: Answer) {
  let calls = 0;
  const transport = createRouterTransport(({ service }) => {
    service(AllocationService, {
      get: (request, context) => {
        answer(++calls, context);
        return { allocationId: request.allocationId, message: endpoint };
      },
      cancel: (_request, context) => {
        answer(++calls, context);
        return { success: true };
      },
      async *watch(_request, context) {
        answer(++calls, context);
        yield { message: endpoint };
        answer(++calls, context);
      },
    });
  });
  return { endpoint, transport, calls: () => calls };
}

/** An address where nobody answers. */
function aDeadAddress(endpoint: string) {
  let calls = 0;
  const refuse = async () => {
    calls++;
    throw unreachable(endpoint, new Error("Unable to connect. Is the computer able to access the url?"));
  };
  return { endpoint, transport: { unary: refuse, stream: refuse }, calls: () => calls };
}

const named = (code: Code, reason: string, more: Record<string, string> = {}) =>
  new ConnectError("what happened", code, { "lattice-reason": reason, ...more });

const OPTIONS = { endpoints: [], timeoutMs: 10_000, unreachableMs: 1_000 };

async function faultOf(call: Promise<unknown>): Promise<Fault> {
  try {
    await call;
  } catch (error) {
    if (error instanceof LatticeError) return error.fault;
    throw error;
  }
  throw new Error("the call succeeded");
}

test("a call moves on to a server that answers, and stays with it", async () => {
  const { host, slept } = aWorld();
  const down = aDeadAddress("a");
  const up = aServer("b", () => {});
  const { allocations } = clientOver([down, up], OPTIONS, host);
  expect((await allocations.get({ allocationId: "1" })).message).toBe("b");
  expect((await allocations.get({ allocationId: "1" })).message).toBe("b");
  expect([down.calls(), up.calls(), slept]).toEqual([1, 2, []]);
});

test("a write keeps its idempotency key over retries, and each write has its own", async () => {
  const { host } = aWorld();
  const keys: (string | null)[] = [];
  const server = aServer("a", (call, { requestHeader }) => {
    keys.push(requestHeader.get("idempotency-key"));
    if (call < 3) throw named(Code.Unavailable, "NO_QUORUM");
  });
  const { allocations } = clientOver([server], OPTIONS, host);
  await allocations.cancel({ allocationId: "1" });
  await allocations.cancel({ allocationId: "2" });
  expect(keys).toEqual(["key-1", "key-1", "key-1", "key-2"]);
});

test("a read carries no idempotency key; every call carries the token", async () => {
  const { host } = aWorld();
  const headers: (string | null)[] = [];
  const server = aServer("a", (_, { requestHeader }) => {
    headers.push(requestHeader.get("idempotency-key"), requestHeader.get("authorization"));
  });
  await clientOver([server], { ...OPTIONS, token: "secret" }, host).allocations.get({ allocationId: "1" });
  expect(headers).toEqual([null, "Bearer secret"]);
});

test("the server's hint is waited for", async () => {
  const { host, slept } = aWorld();
  const server = aServer("a", (call) => {
    if (call === 1) throw named(Code.ResourceExhausted, "RATE_LIMITED", { "lattice-retry-after-ms": "250" });
    if (call === 2) throw named(Code.ResourceExhausted, "RATE_LIMITED", { "retry-after": "2" });
  });
  await clientOver([server], OPTIONS, host).allocations.get({ allocationId: "1" });
  expect(slept).toEqual([250, 2_000]);
});

test("what the table says is final is thrown at once, with its reason and next step", async () => {
  const { host, slept } = aWorld();
  const server = aServer("a", () => {
    throw named(Code.NotFound, "ALLOCATION_NOT_FOUND", { "lattice-next": "look elsewhere" });
  });
  const found = await faultOf(clientOver([server], OPTIONS, host).allocations.get({ allocationId: "1" }));
  expect(found).toEqual({ reason: "ALLOCATION_NOT_FOUND", message: "what happened", next: "look elsewhere" });
  expect([server.calls(), slept]).toEqual([1, []]);
});

test("retries end at the deadline with the last fault", async () => {
  const { host, slept } = aWorld();
  const server = aServer("a", () => {
    throw named(Code.Unavailable, "NO_QUORUM");
  });
  const found = await faultOf(clientOver([server], OPTIONS, host).allocations.get({ allocationId: "1" }));
  expect(found.reason).toBe("NO_QUORUM");
  const total = slept.reduce((sum, ms) => sum + ms, 0);
  expect(total).toBeLessThan(10_000);
  expect(total).toBeGreaterThan(8_000);
});

test("servers that cannot be reached are named, soon", async () => {
  const { host, slept } = aWorld();
  const server = aDeadAddress("http://a:8080");
  const found = await faultOf(clientOver([server], OPTIONS, host).allocations.get({ allocationId: "1" }));
  expect(found.reason).toBe("SERVER_UNREACHABLE");
  expect(found.message).toBe("no answer from http://a:8080: the connection was refused");
  expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(1_000);
});

test("an error without a reason is told by its code, as that of a stranger", async () => {
  const { host } = aWorld();
  const server = aServer("a", () => {
    throw new ConnectError("go away", Code.PermissionDenied);
  });
  const found = await faultOf(clientOver([server], OPTIONS, host).allocations.get({ allocationId: "1" }));
  expect(found).toEqual({ reason: "FORBIDDEN", message: "a answered: go away" });
});

test("a stream fails over until its first message and not after", async () => {
  const { host } = aWorld();
  const down = aServer("a", () => {
    throw named(Code.Unavailable, "SHUTTING_DOWN");
  });
  const breaking = aServer("b", (call) => {
    if (call === 2) throw named(Code.Unavailable, "SHUTTING_DOWN");
  });
  const seen: string[] = [];
  const reading = (async () => {
    for await (const event of clientOver([down, breaking], OPTIONS, host).allocations.watch({}))
      seen.push(event.message);
  })();
  expect((await faultOf(reading)).reason).toBe("SHUTTING_DOWN");
  expect([seen, down.calls(), breaking.calls()]).toEqual([["b"], 1, 2]);
});

test("an aborted call is cancelled, not retried", async () => {
  const { host } = aWorld();
  const stop = new AbortController();
  const server = aServer("a", () => {
    stop.abort();
    throw named(Code.Unavailable, "NO_QUORUM");
  });
  const call = clientOver([server], OPTIONS, host).allocations.get({ allocationId: "1" }, { signal: stop.signal });
  expect((await faultOf(call)).reason).toBe("CANCELED");
  expect(server.calls()).toBe(1);
});

/** A server that takes requests and says nothing. */
function aFrozenServer(endpoint: string) {
  const aborted: boolean[] = [];
  const hang = (_method: unknown, signal: AbortSignal | undefined) =>
    new Promise<never>((_, reject) => {
      signal?.addEventListener("abort", () => {
        aborted.push(true);
        reject(new Error("aborted"));
      });
    });
  return { endpoint, transport: { unary: hang, stream: hang }, aborted };
}

test("a server that is silent and does not say that it is alive is left for the next", async () => {
  const { host } = aWorld();
  const frozen = aFrozenServer("a");
  const asked: string[] = [];
  const isAlive = async (endpoint: string) => {
    if (!asked.includes(endpoint)) asked.push(endpoint);
    // The transport in memory needs turns of the event loop to answer.
    await new Promise((resolve) => setImmediate(resolve));
    return endpoint === "b";
  };
  const servers = [frozen, aServer("b", () => {})];
  const { allocations } = clientOver(servers, OPTIONS, { ...host, isAlive });
  expect((await allocations.get({ allocationId: "1" })).message).toBe("b");
  expect([asked[0], frozen.aborted]).toEqual(["a", [true]]);
});

test("a server that is slow and alive is waited for", async () => {
  const { host } = aWorld();
  let probes = 0;
  const answer = Promise.withResolvers<void>();
  const isAlive = async () => {
    if (++probes === 3) answer.resolve();
    return true;
  };
  const slow = aServer("a", () => {});
  const inner = slow.transport;
  const transport: typeof inner = {
    ...inner,
    unary: async (...args) => {
      await answer.promise;
      return inner.unary(...args);
    },
  };
  const servers = [{ endpoint: "a", transport }, aServer("b", () => {})];
  const { allocations } = clientOver(servers, OPTIONS, { ...host, isAlive });
  expect((await allocations.get({ allocationId: "1" })).message).toBe("a");
});

test("the wish for stale data goes with every call", async () => {
  const { host } = aWorld();
  const seen: (string | null)[] = [];
  const server = aServer("a", (_, { requestHeader }) => seen.push(requestHeader.get("x-lattice-consistency")));
  await clientOver([server], { ...OPTIONS, isStale: true }, host).allocations.get({ allocationId: "1" });
  await clientOver([server], OPTIONS, host).allocations.get({ allocationId: "1" });
  expect(seen).toEqual(["stale", null]);
});
