/**
 * The logins of this user, by server, in `~/.config/lattice/tokens.json`. The file holds
 * secrets: it is the user's alone, and one that others could read is put right, with a
 * warning. Changes are made under a lock and appear at once, or not at all.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { UsageError } from "../grammar/usage-error.ts";

/** One login. */
export interface Login {
  readonly issuer: string;
  readonly clientId: string;
  /** The client id that servers expect tokens to be for; a service has another of its own. */
  readonly audience: string;
  /** What was asked for. */
  readonly scope: string;
  /** What servers are shown. */
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Gives a fresh token in silence. */
  readonly refreshToken?: string;
  /** Whom the server takes the token's bearer for. */
  readonly user?: string;
}

/** Logins by the address of the server. */
export type Logins = Readonly<Record<string, Login>>;

type Environment = Readonly<Record<string, string | undefined>>;

const OWNER_ONLY = 0o600;
const FOLDER_OWNER_ONLY = 0o700;
const OTHERS = 0o077;
const VERSION = 1;
const LOCK_PAUSE_MS = 50;
/** Longer than whoever renews a token waits for the provider. */
const LOCK_TIMEOUT_MS = 40_000;
/** A lock this old was left behind by a command that was killed. */
const LOCK_AGE_MAX_MS = 60_000;

/** Returns where the logins are kept. */
export function loginsPath(env: Environment): string {
  const config = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), ".config");
  return join(config, "lattice", "tokens.json");
}

/** The file of logins. */
export class SavedLogins {
  constructor(
    readonly path: string,
    private readonly warn: (text: string) => void,
  ) {}

  /** Returns the first login to one of the servers. */
  find(endpoints: readonly string[]): Login | undefined {
    const logins = this.all();
    return endpoints.map((endpoint) => logins[endpoint]).find((login) => login !== undefined);
  }

  /** Returns every login. Throws UsageError when the file cannot be used. */
  all(): Logins {
    const text = this.#read();
    if (text === undefined) return {};
    const logins = parsed(text);
    if (logins === undefined) throw new UsageError(`${this.path} is damaged`, "remove it and log in again");
    return logins;
  }

  /** Changes the logins while no other command can. */
  async change<T>(make: (logins: Logins) => Promise<{ readonly logins: Logins; readonly result: T }>): Promise<T> {
    const unlock = await this.#lock();
    try {
      const before = this.all();
      const { logins, result } = await make(before);
      if (logins !== before) this.#write(logins);
      return result;
    } finally {
      unlock();
    }
  }

  async #lock(): Promise<() => void> {
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: FOLDER_OWNER_ONLY });
      return await lock(`${this.path}.lock`);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`${this.path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #read(): string | undefined {
    try {
      this.#protect();
      return readFileSync(this.path, "utf8");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      if (error instanceof UsageError) throw error;
      throw new UsageError(`${this.path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Takes everybody else's rights to the file away. */
  #protect(): void {
    const { mode, uid } = statSync(this.path);
    if (uid !== process.getuid?.()) throw new UsageError(`${this.path} belongs to another user`, "remove it");
    if ((mode & OTHERS) === 0) return;
    chmodSync(this.path, OWNER_ONLY);
    const had = (mode & 0o777).toString(8);
    this.warn(`${this.path} was open to others (mode ${had}) and is yours alone again: whoever read it may act as you`);
  }

  #write(logins: Logins): void {
    const draft = `${this.path}.${process.pid}`;
    rmSync(draft, { force: true });
    const file = openSync(draft, "wx", OWNER_ONLY);
    try {
      writeSync(file, `${JSON.stringify({ version: VERSION, servers: logins }, undefined, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, this.path);
  }
}

/** Returns how to let go of the lock. Throws UsageError when another command holds it for too long. */
async function lock(path: string): Promise<() => void> {
  const deadline = performance.now() + LOCK_TIMEOUT_MS;
  for (;;) {
    try {
      closeSync(openSync(path, "wx", OWNER_ONLY));
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    if (ageOf(path) > LOCK_AGE_MAX_MS) rmSync(path, { force: true });
    else if (performance.now() > deadline)
      throw new UsageError(`another command holds ${path}`, "remove it if none runs");
    else await Bun.sleep(LOCK_PAUSE_MS);
  }
}

function ageOf(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function parsed(text: string): Logins | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const { version, servers } = recordOf(value);
    if (version !== VERSION) return undefined;
    const entries = Object.entries(recordOf(servers)).map(([server, login]) => [server, loginOf(login)] as const);
    return Object.fromEntries(entries);
  } catch {
    return undefined;
  }
}

function loginOf(value: unknown): Login {
  const { issuer, clientId, audience, scope, token, expiresAt, refreshToken, user } = recordOf(value);
  if (typeof expiresAt !== "number") throw new TypeError();
  return {
    issuer: textOf(issuer),
    clientId: textOf(clientId),
    audience: textOf(audience),
    scope: textOf(scope),
    token: textOf(token),
    expiresAt,
    ...(typeof refreshToken === "string" && { refreshToken }),
    ...(typeof user === "string" && { user }),
  };
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new TypeError();
  return value;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new TypeError();
  return { ...value };
}

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);
