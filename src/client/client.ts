/**
 * The typed client of a Lattice cluster: one object a service, over several servers.
 * Every error that a call throws is a LatticeError.
 */
import { type Client, createClient as createServiceClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AdminService } from "../gen/lattice/v1/admin_pb.ts";
import { AllocationService } from "../gen/lattice/v1/allocations_pb.ts";
import { IdentityService } from "../gen/lattice/v1/identity_pb.ts";
import { NodeService } from "../gen/lattice/v1/nodes_pb.ts";
import { unreachable } from "./faults.ts";
import type { Server, TransportHost } from "./transport.ts";
import { createResilientTransport } from "./transport.ts";

/** Where the servers are and how to speak to them. */
export interface ClientOptions {
  /** Base URLs; at least one. */
  readonly endpoints: readonly string[];
  /** Sent as a bearer token; what gives one is asked before each call. */
  readonly token?: string | (() => Promise<string | undefined>);
  /** Certificates for https:// endpoints, PEM. */
  readonly tls?: ClientTls;
  /** Named to an open server, which has no token to learn it from. */
  readonly user?: string;
  /** For a whole call with its retries. */
  readonly timeoutMs: number;
  /** How long servers that do not answer are tried again. */
  readonly unreachableMs?: number;
  /** Whether answers may come from a server that is behind the others. */
  readonly isStale?: boolean;
}

/** What a client trusts, and proves who it is with, PEM. */
export interface ClientTls {
  /** Authorities of the servers; absent: those of the system. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The services of a cluster. */
export interface LatticeClient {
  readonly allocations: Client<typeof AllocationService>;
  readonly nodes: Client<typeof NodeService>;
  readonly admin: Client<typeof AdminService>;
  readonly identity: Client<typeof IdentityService>;
}

const UNREACHABLE_MS = 1_000;

/** Returns a client of the cluster that `endpoints` belong to. Nothing is sent until the first call. */
export function createClient(options: ClientOptions): LatticeClient {
  const servers = options.endpoints.map((endpoint) => ({
    endpoint,
    transport: createConnectTransport({
      baseUrl: endpoint,
      useBinaryFormat: true,
      fetch: fetchFrom(endpoint, options.tls),
    }),
  }));
  return clientOver(servers, options, hostOf(options.tls));
}

/** Returns a client over transports that exist already, for tests and for servers that call themselves. */
export function clientOver(servers: readonly Server[], options: ClientOptions, host: TransportHost): LatticeClient {
  const { token } = options;
  const headers = {
    ...(options.user === undefined ? {} : { "x-lattice-user": options.user }),
    ...(options.isStale === true ? { "x-lattice-consistency": "stale" } : {}),
  };
  const { timeoutMs, unreachableMs = UNREACHABLE_MS } = options;
  const transport: Transport = createResilientTransport(servers, { timeoutMs, unreachableMs, headers, token }, host);
  return {
    allocations: createServiceClient(AllocationService, transport),
    nodes: createServiceClient(NodeService, transport),
    admin: createServiceClient(AdminService, transport),
    identity: createServiceClient(IdentityService, transport),
  };
}

const PROBE_MS = 1_500;

const hostOf = (tls: ClientTls | undefined): TransportHost => ({
  now: () => performance.now(),
  random: Math.random,
  uuid: () => crypto.randomUUID(),
  isAlive: (endpoint) =>
    fetch(`${endpoint}/healthz`, { signal: AbortSignal.timeout(PROBE_MS), ...(tls && { tls }) }).then(
      () => true,
      () => false,
    ),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      const stop = () => {
        clearTimeout(timer);
        resolve();
      };
      signal?.addEventListener("abort", stop, { once: true });
    }),
});

/** Streams may be silent for long, so Bun's idle limit is off; a failed connection becomes one plain fault. */
function fetchFrom(endpoint: string, tls: ClientTls | undefined): typeof globalThis.fetch {
  const call = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    try {
      return await fetch(input, { ...init, timeout: false, ...(tls && { tls }) });
    } catch (thrown) {
      if (init?.signal?.aborted) throw thrown;
      throw unreachable(endpoint, thrown);
    }
  };
  return Object.assign(call, { preconnect: fetch.preconnect });
}
