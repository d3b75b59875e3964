/**
 * The identity that the servers have signed: a join token gets the first certificate, which is
 * then renewed at two thirds of its life over a connection that shows it. Key and certificate
 * are kept in the agent's state directory, and the key leaves it never.
 */
import { X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { CertificateResponse } from "../../gen/lattice/v1/identity_pb.ts";
import { IdentityService, JoinService } from "../../gen/lattice/v1/identity_pb.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import { requestCertificate } from "../ca/certificate-request.ts";
import type { Certificates } from "../tls/certificate-keeper.ts";

/** Who asks, whom, and where the answer is kept. */
export interface EnrolledOptions {
  readonly nodeId: string;
  /** Empty: only renewed, never joined. */
  readonly signingEndpoint: string;
  readonly joinToken: string;
  /** The servers that renew, in order. */
  readonly endpoints: readonly string[];
  readonly folder: string;
  /** Authorities of the servers, PEM. */
  readonly ca: () => string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Held extends Certificates {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** When it was kept: it begins before that, for clocks that lag. */
  readonly since: number;
  readonly validUntil: number;
}

const RENEW_AFTER = 2 / 3;
const RETRY_MS = 30_000;
const ANSWER_MS = 10_000;

/** Holds the newest certificate that the servers have signed. */
export class EnrolledSource {
  readonly #options: EnrolledOptions;
  #held: Held | undefined;
  #timer: CancelTimer = () => {};

  constructor(options: EnrolledOptions) {
    this.#options = options;
  }

  get current(): Certificates | undefined {
    const { validUntil = 0 } = this.#held ?? {};
    return validUntil > this.#options.clock.now() ? this.#held : undefined;
  }

  /** Takes the certificate that is kept, else joins; returns once that is done or has failed for now. */
  async start(): Promise<void> {
    const { folder, log, signingEndpoint, joinToken } = this.#options;
    this.#held = readHeld(folder);
    if (this.current !== undefined) {
      log.info("the certificate that the servers have signed is kept", { folder, ...this.#end() });
      this.#renewInTime();
    } else if (signingEndpoint === "") {
      log.info("no --signing-endpoint is given: the servers sign nothing for this node");
    } else if (joinToken === "") {
      log.warn("this node has no join token", { next: `make one: lattice admin join-token ${this.#options.nodeId}` });
    } else {
      await this.#join();
    }
  }

  close(): void {
    this.#timer();
  }

  async #join(): Promise<void> {
    const { nodeId, signingEndpoint, joinToken: token, log, ca } = this.#options;
    const authorities = ca();
    const session = sessionTo(signingEndpoint, authorities === undefined ? {} : { ca: authorities });
    try {
      const { key, csr } = await requestCertificate(nodeId);
      const client = createClient(JoinService, transportOver(signingEndpoint, session));
      this.#keep(key, await client.join({ token, csr }, { timeoutMs: ANSWER_MS }));
      log.info("the servers have signed this node's certificate", this.#end());
    } catch (error) {
      log.error("the servers do not sign this node's certificate", this.#refusal(error, signingEndpoint));
      this.#after(RETRY_MS, () => this.#join());
    } finally {
      session.abort();
    }
  }

  async #renew(): Promise<void> {
    const { nodeId, endpoints, log } = this.#options;
    const held = this.current;
    for (const endpoint of held === undefined ? [] : endpoints) {
      const ca = [held?.ca, this.#options.ca()].filter((text) => text !== undefined).join("\n");
      const session = sessionTo(endpoint, { ...held, ca });
      try {
        const { key, csr } = await requestCertificate(nodeId);
        const client = createClient(IdentityService, transportOver(endpoint, session));
        this.#keep(key, await client.renewCertificate({ csr }, { timeoutMs: ANSWER_MS }));
        log.info("the servers have renewed this node's certificate; connections go on", this.#end());
        return;
      } catch (error) {
        log.warn("this node's certificate is not renewed", { ...this.#refusal(error, endpoint), ...this.#end() });
      } finally {
        session.abort();
      }
    }
    this.#after(RETRY_MS, () => this.#renew());
  }

  #keep(key: string, { certificate: cert, ca }: CertificateResponse): void {
    writeHeld(this.#options.folder, { cert, key, ca });
    this.#held = heldOf({ cert, key, ca }, this.#options.clock.now());
    this.#renewInTime();
  }

  #renewInTime(): void {
    const { since = 0, validUntil = 0 } = this.#held ?? {};
    const dueAt = since + (validUntil - since) * RENEW_AFTER;
    this.#after(Math.max(0, dueAt - this.#options.clock.now()), () => this.#renew());
  }

  #after(delayMs: number, act: () => Promise<void>): void {
    this.#timer();
    this.#timer = this.#options.clock.after(delayMs, () => void act());
  }

  #end() {
    return this.#held === undefined ? {} : { validUntil: new Date(this.#held.validUntil).toISOString() };
  }

  #refusal(error: unknown, endpoint: string) {
    return { endpoint, reason: ConnectError.from(error).rawMessage, retryInMs: RETRY_MS };
  }
}

/** A session that is not ended would hold its connection for minutes. */
const sessionTo = (endpoint: string, { cert, key, ca }: Certificates): Http2SessionManager =>
  new Http2SessionManager(endpoint, {}, { ...(cert !== undefined && { cert, key }), ...(ca !== undefined && { ca }) });

const transportOver = (baseUrl: string, sessionManager: Http2SessionManager) =>
  createGrpcTransport({ baseUrl, sessionManager });

const FILES = { cert: "node.crt", key: "node.key", ca: "ca.crt" } as const;

/** Returns what is kept, valid or not; undefined where there is nothing whole. */
function readHeld(folder: string): Held | undefined {
  try {
    const read = (file: string) => readFileSync(join(folder, file), "utf8");
    const since = statSync(join(folder, FILES.cert)).mtimeMs;
    return heldOf({ cert: read(FILES.cert), key: read(FILES.key), ca: read(FILES.ca) }, since);
  } catch {
    return undefined;
  }
}

interface Pems {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

const heldOf = (pems: Pems, since: number): Held => ({
  ...pems,
  since,
  validUntil: Date.parse(new X509Certificate(pems.cert).validTo),
});

/** The certificate comes last: with another's key beside it, it is read by nobody. */
function writeHeld(folder: string, { cert, key, ca }: Pems): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const write = (file: string, text: string, mode: number) => {
    writeFileSync(join(folder, `${file}.new`), text, { mode });
    renameSync(join(folder, `${file}.new`), join(folder, file));
  };
  write(FILES.ca, ca, 0o644);
  write(FILES.key, key, 0o600);
  write(FILES.cert, cert, 0o644);
}
