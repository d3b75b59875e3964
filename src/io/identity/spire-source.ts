/**
 * The identity that a SPIRE agent gives this process: an X.509-SVID over the SPIFFE Workload
 * API on a Unix socket, sent again with each rotation. Runs for as long as the agent does:
 * where SPIRE comes late, or comes back, its identity is used from then on.
 */
import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { X509SVID } from "../../gen/spiffe/workload_pb.ts";
import { SpiffeWorkloadAPI } from "../../gen/spiffe/workload_pb.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { Certificates } from "../tls/certificate-keeper.ts";
import { derElements, pemOf } from "../tls/der.ts";

/** Where SPIRE is, and for whom. */
export interface SpireOptions {
  /** Path of the Workload API's socket. */
  readonly socket: string;
  /** Of several identities the one that names this node is taken. */
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What the standard wants on every call, so that no other program is tricked into making one. */
const HEADERS = { "workload.spiffe.io": "true" };
/** How long a start waits for SPIRE. */
const FIRST_ANSWER_MS = 10_000;
const RETRY_MS = 5_000;

/** Holds the newest identity that SPIRE gave. */
export class SpireSource {
  readonly #options: SpireOptions;
  readonly #closed = new AbortController();
  #current: Certificates | undefined;
  #isMissingSaid = false;

  constructor(options: SpireOptions) {
    this.#options = options;
  }

  /** The identity, while it is valid. */
  get current(): Certificates | undefined {
    const { validUntil = 0 } = this.#current ?? {};
    return validUntil > this.#options.clock.now() ? this.#current : undefined;
  }

  /** Begins to ask; returns once there is an identity, or it is clear that there is none at present. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(FIRST_ANSWER_MS, resolve);
      void this.#askOnAndOn(resolve);
    });
  }

  close(): void {
    this.#closed.abort();
  }

  async #askOnAndOn(onFirst: () => void): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await this.#ask(onFirst);
      onFirst();
      await new Promise<void>((resolve) => void this.#options.clock.after(RETRY_MS, resolve));
    }
  }

  /** Holds one stream of identities until it ends. */
  async #ask(onFirst: () => void): Promise<void> {
    const { socket, log } = this.#options;
    if (!existsSync(socket)) {
      if (!this.#isMissingSaid) log.info("there is no SPIRE agent on this node", { socket });
      this.#isMissingSaid = true;
      return;
    }
    // Over a Unix socket the address in the URL is nobody's.
    const nodeOptions = { createConnection: () => connect({ path: socket }) };
    const transport = createGrpcTransport({ baseUrl: "http://localhost", nodeOptions });
    try {
      const { signal } = this.#closed;
      for await (const { svids } of createClient(SpiffeWorkloadAPI, transport).fetchX509SVID(
        {},
        { headers: HEADERS, signal },
      )) {
        this.#take(svids);
        onFirst();
      }
      log.warn("SPIRE has ended the stream of identities", { socket, retryInMs: RETRY_MS });
    } catch (error) {
      if (!this.#closed.signal.aborted) log.warn("SPIRE gives no identity", this.#refusal(error));
    }
  }

  #refusal(error: unknown) {
    const { code, rawMessage } = ConnectError.from(error);
    const next =
      code === Code.PermissionDenied
        ? "register this node's agent with SPIRE: spire-server entry create -spiffeID …/agent/NODE -dns NODE"
        : "check that the SPIRE agent runs and that this user may open its socket";
    return { socket: this.#options.socket, reason: rawMessage, next, retryInMs: RETRY_MS };
  }

  #take(svids: readonly X509SVID[]): void {
    const { log, nodeId } = this.#options;
    const chosen = svids.find(({ spiffeId }) => spiffeId.endsWith(`/agent/${nodeId}`)) ?? svids[0];
    const certificates = chosen && certificatesOf(chosen);
    if (chosen === undefined || certificates === undefined) {
      log.warn("SPIRE has sent an identity that is of no use: the former one stays", { count: svids.length });
      return;
    }
    this.#current = certificates;
    const validUntil = new Date(certificates.validUntil).toISOString();
    log.info("SPIRE has given this node its identity", { spiffeId: chosen.spiffeId, validUntil });
  }
}

function certificatesOf({ x509Svid, x509SvidKey, bundle }: X509SVID) {
  const [leaf, ...intermediates] = derElements(x509Svid);
  if (leaf === undefined || x509SvidKey.length === 0) return undefined;
  const pems = (elements: readonly { readonly whole: Uint8Array }[]) =>
    elements.map(({ whole }) => pemOf("CERTIFICATE", whole)).join("");
  try {
    return {
      cert: pems([leaf, ...intermediates]),
      key: pemOf("PRIVATE KEY", x509SvidKey),
      ca: pems(derElements(bundle)),
      validUntil: Date.parse(new X509Certificate(leaf.whole).validTo),
    };
  } catch {
    return undefined;
  }
}
