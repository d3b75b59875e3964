/**
 * The keys of an identity provider, kept in memory: read when first needed, again when
 * they are old, and when a token names a key that is not among them, which is how a
 * rotation shows. However many tokens name unknown keys, the provider is not asked more
 * often than every few seconds. While it is away, the keys that are known go on working.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import { refused } from "./verify-token.ts";

/** Between two questions to the provider. */
export const READ_FLOOR_MS = 5_000;
/** Age at which keys are read again behind the scenes, so that withdrawn ones go. */
export const REFRESH_AGE_MS = 10 * 60_000;
/** Age at which keys that could not be read again count for nothing. */
export const KEYS_AGE_MAX_MS = 24 * 3_600_000;

const KEY_NAME_SHOWN_MAX = 64;

/** What the keys are read with. */
export interface ProviderKeysParts {
  readonly issuer: string;
  /** Reads them from the provider. @throws Error */
  readonly read: () => Promise<JSONWebKeySet>;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Logger;
}

export class ProviderKeys {
  #keys: ReturnType<typeof createLocalJWKSet> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<boolean> | undefined;
  /** Whether the last reading succeeded. */
  #hasAnswered = false;

  constructor(private readonly parts: ProviderKeysParts) {}

  /** Returns the key that a token names. @throws UNAUTHENTICATED when there is none. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (this.#areUsable() && this.#age() > REFRESH_AGE_MS) void this.refresh();
    const known = await this.#lookUp(header, token);
    if (known !== undefined) return known;
    const isFresh = await this.refresh();
    const found = isFresh ? await this.#lookUp(header, token) : undefined;
    if (found !== undefined) return found;
    if (!this.#areUsable()) throw refused("the keys of the identity provider cannot be read at present");
    const kid = String(header.kid ?? "").slice(0, KEY_NAME_SHOWN_MAX);
    if (isFresh) this.parts.log.warn("a token names a key that the identity provider does not list", { kid });
    throw refused("its key is not among those of the identity provider");
  };

  /**
   * Reads the keys, unless that was tried a moment ago. Returns whether they are fresh;
   * a failure is logged.
   */
  refresh(): Promise<boolean> {
    if (this.#reading !== undefined) return this.#reading;
    const now = this.parts.clock.monotonic();
    if (now - this.#triedAt < READ_FLOOR_MS) return Promise.resolve(false);
    this.#triedAt = now;
    this.#reading = this.#read(now).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(now: number): Promise<boolean> {
    const { issuer, read, log } = this.parts;
    try {
      this.#keys = createLocalJWKSet(await read());
      this.#readAt = now;
      if (!this.#hasAnswered) log.info("the identity provider answers: its tokens can be checked", { issuer });
      this.#hasAnswered = true;
      return true;
    } catch (error) {
      this.#hasAnswered = false;
      const cause = error instanceof Error ? error.message : String(error);
      const effect = this.#keys === undefined ? "no token can be checked" : "tokens of unknown keys are refused";
      log.warn("the keys of the identity provider cannot be read", { issuer, cause, effect });
      return false;
    }
  }

  async #lookUp(...[header, token]: Parameters<JWTVerifyGetKey>) {
    if (this.#keys === undefined || !this.#areUsable()) return undefined;
    try {
      return await this.#keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) throw refused("it does not say by which key it is signed");
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      throw error;
    }
  }

  #age(): number {
    return this.parts.clock.monotonic() - this.#readAt;
  }

  #areUsable(): boolean {
    return this.#age() <= KEYS_AGE_MAX_MS;
  }
}
