/**
 * Keeps the certificates of this process as fresh as their files: looks at them now and
 * then, and at a signal, and tells whoever serves or dials with them. Files that are wrong
 * change nothing, so that a half-written certificate ends no service.
 */
import { statSync } from "node:fs";
import { LatticeError } from "../../core/domain/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";

/** Certificates in use, PEM, and when they end. */
export interface Certificates {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  /** Milliseconds since the epoch. */
  readonly validUntil?: number;
}

/** Where they come from. */
export interface CertificateKeeperOptions {
  /** The files that are looked at. */
  readonly paths: readonly string[];
  /** Reads them. @throws LatticeError when they are of no use. */
  readonly read: () => Certificates;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_MS = 5_000;
const DAY_MS = 86_400_000;
const WARN_BEFORE_MS = 14 * DAY_MS;

/** Holds the certificates of the moment. */
export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions;
  readonly #listeners = new Set<(fresh: Certificates) => void>();
  #current: Certificates;
  #stamp: string;
  #warnedAt = Number.NEGATIVE_INFINITY;
  readonly #stop: () => void;

  /** @throws LatticeError when the files are of no use. */
  constructor(options: CertificateKeeperOptions) {
    this.#options = options;
    this.#stamp = this.#stampOf();
    this.#current = options.read();
    this.#warn();
    this.#stop = options.clock.every(LOOK_MS, () => this.#look());
  }

  get current(): Certificates {
    return this.#current;
  }

  /** Returns when the certificate in use ends, in milliseconds since the epoch. */
  validUntil(): number | undefined {
    return this.#current.validUntil;
  }

  /** Calls back with each change. */
  onChange(listener: (fresh: Certificates) => void): void {
    this.#listeners.add(listener);
  }

  /** Reads the files again. */
  reload(): void {
    const { log, paths } = this.#options;
    this.#stamp = this.#stampOf();
    try {
      this.#current = this.#options.read();
    } catch (error) {
      if (!(error instanceof LatticeError)) throw error;
      log.error("the certificate files have changed and are of no use: the former ones stay", {
        reason: error.message,
      });
      return;
    }
    log.info("the certificates are replaced; connections go on", { paths, ...this.#end() });
    this.#warnedAt = Number.NEGATIVE_INFINITY;
    this.#warn();
    for (const listener of this.#listeners) listener(this.#current);
  }

  close(): void {
    this.#stop();
  }

  #look(): void {
    if (this.#stampOf() !== this.#stamp) this.reload();
    this.#warn();
  }

  #warn(): void {
    const { clock, log } = this.#options;
    const now = clock.now();
    const left = (this.#current.validUntil ?? Number.POSITIVE_INFINITY) - now;
    if (left > WARN_BEFORE_MS || now - this.#warnedAt < DAY_MS) return;
    this.#warnedAt = now;
    const next = "renew it and write it over the file: no restart is needed";
    if (left <= 0) log.error("the certificate has expired: nobody can connect", { ...this.#end(), next });
    else log.warn("the certificate expires soon", { ...this.#end(), daysLeft: Math.floor(left / DAY_MS), next });
  }

  #end() {
    const { validUntil } = this.#current;
    return validUntil === undefined ? {} : { validUntil: new Date(validUntil).toISOString() };
  }

  #stampOf(): string {
    return this.#options.paths
      .map((path) => {
        const found = statSync(path, { throwIfNoEntry: false });
        return found === undefined ? "" : `${found.mtimeMs}:${found.size}:${found.ino}`;
      })
      .join(" ");
  }
}
