/**
 * The agent's end of the stream over gRPC. Dials one of the servers, the next one when
 * that fails, and keeps at it. A server that says nothing for a while counts as gone: a
 * cut network closes no connection.
 */
import type { Client, Interceptor } from "@connectrpc/connect";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { AgentMessage as ProtoAgentMessage } from "../../gen/lattice/v1/agent_pb.ts";
import { AgentService } from "../../gen/lattice/v1/agent_pb.ts";
import type { AgentLink, AgentLinkListener, AgentMessage, LogPiece, LogRequest } from "../../ports/agent-link.ts";
import type { Logger } from "../../ports/log.ts";
import { agentMessageToProto, helloToProto, serverMessageFromProto, WorkMemory } from "../../wire/assignment.ts";
import { logErrorToProto, logPieceToProto } from "../../wire/log-piece.ts";
import type { Certificates } from "../tls/certificate-keeper.ts";
import { BackOff } from "./back-off.ts";
import { Outbox } from "./outbox.ts";

/** Whom to dial, and how. */
export interface GrpcAgentLinkOptions {
  /** Base addresses of the servers, such as http://server-1:50051. */
  readonly endpoints: readonly string[];
  /** Bearer token, shown where there is no certificate to show; empty for an open server. */
  readonly token: string;
  /** Returns the certificates to dial https:// endpoints with, at each dial: they are replaced now and then. */
  readonly certificates?: () => Certificates;
  /** Overrides the interval that the server tells; 0 takes the server's. */
  readonly heartbeatIntervalMs: number;
  readonly log: Logger;
}

/** One stream to one server. */
interface Session {
  readonly endpoint: string;
  readonly client: Client<typeof AgentService>;
  /** The connection beneath: left open it would outlive the stream by minutes. */
  readonly connection: Http2SessionManager;
  readonly outbox: Outbox<ProtoAgentMessage>;
  readonly abort: AbortController;
}

/** The time that a server has to say its first word. */
const WELCOME_TIMEOUT_MS = 10_000;
const SILENT_HEARTBEATS = 3;
const SILENCE_MIN_MS = 3_000;
/** More than this unsent means that the server does not read. */
const OUTBOX_MAX = 10_000;
const REFUSALS: readonly Code[] = [
  Code.AlreadyExists,
  Code.Unauthenticated,
  Code.PermissionDenied,
  Code.InvalidArgument,
  Code.FailedPrecondition,
  Code.Unimplemented,
];

/** Holds the agent's stream to the servers. */
export class GrpcAgentLink implements AgentLink {
  readonly #options: GrpcAgentLinkOptions;
  readonly #backOff = new BackOff();
  readonly #closed = new AbortController();
  #session: Session | undefined;
  #nodeId = "";
  /** Whether the last stream was taken in before it ended. */
  #wasWelcome = false;
  #next: number;

  constructor(options: GrpcAgentLinkOptions) {
    this.#options = options;
    // A random first choice spreads the agents over the servers.
    this.#next = Math.floor(Math.random() * options.endpoints.length);
  }

  start(listener: AgentLinkListener): void {
    void this.#dialOnAndOn(listener);
  }

  send(message: AgentMessage): void {
    const session = this.#session;
    if (session === undefined) return;
    session.outbox.push(agentMessageToProto(message));
    if (session.outbox.length > OUTBOX_MAX) session.abort.abort(new Error("the server does not read"));
  }

  async sendLogs(request: LogRequest, pieces: AsyncIterable<LogPiece>, signal: AbortSignal): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const { uploadTo } = request;
    const chunks = this.#chunksOf(request, pieces);
    if (uploadTo === undefined || new URL(session.endpoint).host === uploadTo) {
      await session.client.sendLogs(chunks, { signal });
      return;
    }
    // The server that waits speaks as the one that asks does: with TLS or without.
    const endpoint = `${new URL(session.endpoint).protocol}//${uploadTo}`;
    const connection = this.#connectionTo(endpoint);
    try {
      await this.#clientOf(endpoint, connection).sendLogs(chunks, { signal });
    } finally {
      connection.abort();
    }
  }

  close(): void {
    this.#closed.abort(new Error("the agent stops"));
    this.#session?.outbox.close();
    this.#session?.abort.abort(new Error("the agent stops"));
  }

  /** The first chunk only names the request: output may be long in coming. */
  async *#chunksOf({ requestId, attempt }: LogRequest, pieces: AsyncIterable<LogPiece>) {
    yield logErrorToProto(requestId, "");
    try {
      for await (const piece of pieces) yield logPieceToProto(piece, { requestId, attempt, nodeId: this.#nodeId });
    } catch (error) {
      yield logErrorToProto(requestId, error instanceof Error ? error.message : String(error));
    }
  }

  async #dialOnAndOn(listener: AgentLinkListener): Promise<void> {
    const { endpoints, log } = this.#options;
    while (!this.#closed.signal.aborted) {
      const endpoint = endpoints[this.#next++ % endpoints.length] ?? "";
      const error = await this.#hold(endpoint, listener);
      if (this.#closed.signal.aborted) return;
      // A credential that ends ends its stream: the next dial shows a fresh one.
      const isRefused = REFUSALS.includes(error.code) && !this.#wasWelcome;
      const delayMs = Math.round(this.#backOff.next(Math.random(), isRefused));
      const fields = { endpoint, reason: error.rawMessage, code: Code[error.code], retryInMs: delayMs };
      if (isRefused) log.error("the server refuses this agent", fields);
      else log.warn("no server", fields);
      listener.onLost(error.rawMessage);
      await this.#pause(delayMs);
    }
  }

  /** Holds one stream until it ends, and returns why. */
  async #hold(endpoint: string, listener: AgentLinkListener): Promise<ConnectError> {
    const abort = new AbortController();
    const connection = this.#connectionTo(endpoint);
    const client = this.#clientOf(endpoint, connection);
    const session: Session = { endpoint, client, connection, outbox: new Outbox(), abort };
    this.#wasWelcome = false;
    const hello = listener.hello();
    this.#nodeId = hello.registration.nodeId;
    const memory = new WorkMemory();
    session.outbox.push(helloToProto(hello));
    let watchdog = this.#watch(abort, WELCOME_TIMEOUT_MS);
    let silenceMs = WELCOME_TIMEOUT_MS;
    try {
      for await (const proto of session.client.connect(session.outbox, { signal: abort.signal })) {
        let message = serverMessageFromProto(proto, memory, hello.registration.nodeId);
        if (message?.kind === "welcome") {
          const heartbeatIntervalMs = this.#options.heartbeatIntervalMs || message.heartbeatIntervalMs;
          message = { ...message, heartbeatIntervalMs };
          silenceMs = Math.max(SILENCE_MIN_MS, SILENT_HEARTBEATS * heartbeatIntervalMs);
          this.#session = session;
          this.#wasWelcome = true;
          this.#backOff.reset();
          this.#options.log.info("connected", { endpoint, serverVersion: message.serverVersion });
        }
        clearTimeout(watchdog);
        watchdog = this.#watch(abort, silenceMs);
        if (message !== undefined) listener.onMessage(message);
      }
      return new ConnectError("the server ended the stream", Code.Unavailable);
    } catch (error) {
      return ConnectError.from(abort.signal.aborted ? abort.signal.reason : error, Code.Unavailable);
    } finally {
      clearTimeout(watchdog);
      this.#session = undefined;
      session.outbox.close();
      abort.abort();
      connection.abort();
    }
  }

  #connectionTo(endpoint: string): Http2SessionManager {
    if (!endpoint.startsWith("https:")) return new Http2SessionManager(endpoint);
    const { cert, key, ca } = this.#options.certificates?.() ?? {};
    const tls = { ...(cert !== undefined && { cert, key }), ...(ca !== undefined && { ca }) };
    return new Http2SessionManager(endpoint, {}, tls);
  }

  #watch(abort: AbortController, delayMs: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => abort.abort(new Error(`the server has been silent for ${delayMs} ms`)), delayMs);
  }

  #clientOf(endpoint: string, sessionManager: Http2SessionManager): Client<typeof AgentService> {
    const isCertified = endpoint.startsWith("https:") && this.#options.certificates?.().cert !== undefined;
    const token = isCertified ? "" : this.#options.token;
    const authenticate: Interceptor = (next) => (request) => {
      if (token !== "") request.header.set("authorization", `Bearer ${token}`);
      return next(request);
    };
    // Compressing what goes a short way costs more than it saves.
    const options = { baseUrl: endpoint, interceptors: [authenticate], acceptCompression: [], sessionManager };
    return createClient(AgentService, createGrpcTransport(options));
  }

  #pause(delayMs: number): Promise<void> {
    const { signal } = this.#closed;
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", finish);
        resolve();
      };
      const timer = setTimeout(finish, delayMs);
      signal.addEventListener("abort", finish);
    });
  }
}
