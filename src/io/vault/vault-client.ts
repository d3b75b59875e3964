/**
 * Reads secrets of HashiCorp Vault: AppRole login, then the KV v2 engine over its HTTP API.
 * The token is kept alive, so that a secret id that is good for one login serves for as long
 * as the process runs. What goes wrong is said in words of its own: an answer of Vault may
 * repeat what it was asked, and is never passed on.
 */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";

/** Where Vault is, and who reads. */
export interface VaultLogin {
  /** Base URL, without a slash at its end. */
  readonly address: string;
  readonly roleId: string;
  readonly secretId: string;
  /** As secret/data/lattice: the engine, "data", the path. */
  readonly prefix: string;
  /** Authorities of Vault's certificate, PEM; absent for those of the system. */
  readonly ca?: string;
  /** The longest wait for one answer. */
  readonly timeoutMs: number;
}

interface Token {
  readonly text: string;
  /** On the monotonic clock; Infinity for a token without an end. */
  readonly endsAt: number;
}

interface Asked {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly token?: string;
  readonly body?: Readonly<Record<string, string>>;
}

interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly location: string | null;
  /** undefined where the answer is no JSON. */
  readonly value: unknown;
}

/** Statuses of Vault's API (developer.hashicorp.com/vault/api-docs, "HTTP status codes"). */
const STATUS = { badRequest: 400, denied: 403, absent: 404, tooMany: 429, unavailable: 503 } as const;
/** A standby may send to the active server, once (307). */
const REDIRECTS_MAX = 1;
/** Of a token's life, when it is renewed. */
const RENEW_AFTER = 2 / 3;
const RETRY_MS = 30_000;
/** Vault itself stores no secret as large as that. */
const ANSWER_BYTES_MAX = 2 * 1024 * 1024;

/** One Vault, read by one role. */
export class VaultClient {
  readonly #login: VaultLogin;
  readonly #clock: Clock;
  readonly #log: Logger;
  #token: Token | undefined;
  #renewal: CancelTimer = () => {};

  constructor(login: VaultLogin, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#login = login;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Returns the fields below `section`; undefined when there is nothing.
   * @throws SERVER_UNREACHABLE where waiting may help, INVALID_CONFIG where it does not.
   */
  async read(section: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    const path = `${this.#login.prefix}/${section}`;
    let response = await this.#get(path);
    if (response.status === STATUS.denied && this.#token !== undefined) {
      // A token that was withdrawn looks like a right that is missing: a fresh one tells which it is.
      this.#token = undefined;
      response = await this.#get(path);
    }
    if (response.status === STATUS.absent) return undefined;
    if (!response.ok) throw this.#refusal(response.status, path);
    const fields = member(member(response.value, "data"), "data");
    if (isRecord(fields)) return fields;
    throw wrong(
      `Vault's answer to ${path} holds no secret of the KV engine, version 2`,
      `set vault.prefix to MOUNT/data/PATH, not ${this.#login.prefix}`,
    );
  }

  /** Ends the renewal of the token. */
  close(): void {
    this.#renewal();
  }

  async #get(path: string): Promise<Answer> {
    const token = this.#liveToken() ?? (await this.#logIn());
    return this.#ask({ method: "GET", path, token });
  }

  #liveToken(): string | undefined {
    const { text, endsAt = 0 } = this.#token ?? {};
    return endsAt > this.#clock.monotonic() ? text : undefined;
  }

  async #logIn(): Promise<string> {
    const { roleId, secretId } = this.#login;
    const path = "auth/approle/login";
    const response = await this.#ask({ method: "POST", path, body: { role_id: roleId, secret_id: secretId } });
    if (response.status === STATUS.badRequest || response.status === STATUS.denied) {
      const next = "check vault.role_id, and whether the secret id has expired or been used up: issue a fresh one";
      throw wrong(`Vault refuses the AppRole login (${response.status})`, next);
    }
    if (!response.ok) throw this.#refusal(response.status, path);
    return this.#keep(response.value);
  }

  /** Takes the token of an answer, and renews it in time. */
  #keep(answer: unknown): string {
    const auth = member(answer, "auth");
    const [text, seconds] = [member(auth, "client_token"), member(auth, "lease_duration")];
    if (typeof text !== "string" || typeof seconds !== "number") {
      throw wrong("Vault's answer to the login holds no token", "check that vault.address is Vault's");
    }
    const lifeMs = seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1_000;
    this.#token = { text, endsAt: this.#clock.monotonic() + lifeMs };
    this.#renewal();
    this.#renewal = () => {};
    if (member(auth, "renewable") === true && Number.isFinite(lifeMs)) this.#renewAfter(lifeMs * RENEW_AFTER);
    return text;
  }

  #renewAfter(delayMs: number): void {
    this.#renewal = this.#clock.after(delayMs, () => void this.#renew());
  }

  /** A token that cannot be renewed is let go: the next read logs in. */
  async #renew(): Promise<void> {
    const token = this.#liveToken();
    if (token === undefined) return;
    try {
      const response = await this.#ask({ method: "POST", path: "auth/token/renew-self", token, body: {} });
      if (!response.ok) throw this.#refusal(response.status, "auth/token/renew-self");
      this.#keep(response.value);
    } catch (error) {
      if (!(error instanceof LatticeError)) throw error;
      this.#log.warn("Vault's token is not renewed", { reason: error.message, retryInMs: RETRY_MS });
      this.#renewAfter(RETRY_MS);
    }
  }

  async #ask(asked: Asked): Promise<Answer> {
    let url = new URL(`${this.#login.address}/v1/${asked.path}`);
    for (let redirects = 0; ; redirects++) {
      const response = await this.#send(url, asked);
      const { location } = response;
      if (response.ok || location === null || redirects === REDIRECTS_MAX) return response;
      url = redirected(url, location);
    }
  }

  async #send(url: URL, { method, token, body }: Asked): Promise<Answer> {
    const { ca, timeoutMs } = this.#login;
    try {
      const response = await fetch(url, {
        method,
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          "x-vault-request": "true",
          ...(token !== undefined && { "x-vault-token": token }),
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(ca !== undefined && { tls: { ca } }),
      });
      return await answerOf(response, url);
    } catch (error) {
      if (error instanceof LatticeError) throw error;
      const isSlow = error instanceof Error && error.name === "TimeoutError";
      const code = isSlow ? `no answer within ${timeoutMs} ms` : codeOf(error);
      const next = "check vault.address and vault.tls_ca_path, and that Vault runs and can be reached from here";
      throw away(`Vault at ${url.origin} cannot be asked: ${code}`, next);
    }
  }

  #refusal(status: number, path: string): LatticeError {
    const { address } = this.#login;
    switch (status) {
      case STATUS.unavailable:
        return away(
          `Vault at ${address} is sealed, or under maintenance (${status})`,
          "unseal it: vault operator unseal",
        );
      case STATUS.denied:
        return wrong(
          `Vault denies ${path} to the role (${status})`,
          `give its policy: path "${path}" { capabilities = ["read"] }`,
        );
      case STATUS.tooMany:
        return away(`Vault at ${address} limits how often it is asked (${status})`, "raise its quota, or wait");
      default:
        return away(`Vault at ${address} answers ${status} to ${path}`, "see Vault's own log");
    }
  }
}

const wrong = (message: string, next: string) => new LatticeError(fault("INVALID_CONFIG", message, next));
const away = (message: string, next: string) => new LatticeError(fault("SERVER_UNREACHABLE", message, next));

const codeOf = (error: unknown): string =>
  error instanceof Error ? String(Reflect.get(error, "code") ?? error.message) : "unknown";

function redirected(from: URL, location: string): URL {
  const target = URL.parse(location, from.href);
  const next = "correct Vault's api_addr";
  if (target === null || !["http:", "https:"].includes(target.protocol)) {
    throw wrong(`Vault at ${from.origin} sends to an address that is none of HTTP`, next);
  }
  if (from.protocol === "https:" && target.protocol !== "https:") {
    throw wrong(`Vault at ${from.origin} sends to ${target.origin}, in clear text`, next);
  }
  return target;
}

async function answerOf(response: Response, { origin }: URL): Promise<Answer> {
  const { ok, status, headers } = response;
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > ANSWER_BYTES_MAX) {
      const text = `Vault at ${origin} answers with more than ${ANSWER_BYTES_MAX} bytes`;
      throw wrong(text, "check that vault.address is Vault's, and what lies at vault.prefix");
    }
    pieces.push(piece);
  }
  return { ok, status, location: headers.get("location"), value: parsed(Buffer.concat(pieces).toString("utf8")) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const member = (value: unknown, name: string): unknown => (isRecord(value) ? value[name] : undefined);
