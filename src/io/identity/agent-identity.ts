/**
 * Who this node is: SPIRE, else a certificate that the servers have signed, else the bootstrap
 * certificate, else the token. The first that has a valid identity gives it, at each dial
 * anew: an identity that comes late, or is rotated, is used from the next connection on, and
 * no stream ends for it. Each step says what it found.
 */
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { Certificates } from "../tls/certificate-keeper.ts";

/** One step of the cascade. */
export interface IdentitySource {
  /** Its certificates while they are valid; undefined when it has none. */
  readonly current: Certificates | undefined;
  close(): void;
}

/** The steps, first wins, and what goes with each. */
export interface IdentityOptions {
  readonly sources: readonly (readonly [name: string, source: IdentitySource])[];
  /** Authorities that are trusted besides those of the source, PEM. */
  readonly ca: () => string | undefined;
  readonly hasToken: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_MS = 5_000;

/** The identity of the moment. */
export class AgentIdentity {
  readonly #options: IdentityOptions;
  readonly #stop: () => void;
  #said: string | undefined;

  constructor(options: IdentityOptions) {
    this.#options = options;
    this.#say();
    this.#stop = options.clock.every(LOOK_MS, () => this.#say());
  }

  /** Returns what to dial with. Without a certificate it names the authorities alone. */
  certificates(): Certificates {
    const held = this.#held()?.[1].current ?? {};
    const ca = [held.ca, this.#options.ca()].filter((text) => text !== undefined).join("\n");
    return { ...held, ...(ca !== "" && { ca }) };
  }

  /** Returns when the certificate in use ends, in milliseconds since the epoch. */
  validUntil(): number | undefined {
    return this.#held()?.[1].current?.validUntil;
  }

  close(): void {
    this.#stop();
    for (const [, source] of this.#options.sources) source.close();
  }

  #held() {
    return this.#options.sources.find(([, source]) => source.current?.cert !== undefined);
  }

  /** Says which step gives the identity, whenever it is another one. */
  #say(): void {
    const { log, hasToken } = this.#options;
    const name = this.#held()?.[0] ?? "";
    if (name === this.#said) return;
    this.#said = name;
    if (name !== "") {
      log.info("this node shows its certificate", { from: name });
      if (hasToken) log.warn("LATTICE_AGENT_TOKEN is not used: the certificate wins over it");
    } else if (hasToken) {
      log.info("this node has no certificate and shows its token");
    } else {
      const next = "give it one of: SPIRE, --signing-endpoint with a join token, --bootstrap-cert, LATTICE_AGENT_TOKEN";
      log.warn("this node has neither a certificate nor a token: only an open server takes it in", { next });
    }
  }
}
