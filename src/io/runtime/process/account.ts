/**
 * Accounts of the node: which uid, gid and home a user name stands for. Names come from
 * tokens, so they are checked before they reach the name service.
 */
import { readFile } from "node:fs/promises";
import { fault, LatticeError } from "../../../core/domain/errors.ts";

/** An account of the node. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** Who work may run as. */
export interface AccountPolicy {
  /** Account for work that an open server took from nobody in particular; empty when there is none. */
  readonly defaultUser: string;
  /** Root, and accounts below `uidMin`, may run work. */
  readonly allowsRoot: boolean;
  /** Below it accounts are the system's; absent: 1000. */
  readonly uidMin?: number;
}

/** The name that an open server gives to everyone. */
const ANONYMOUS = "anonymous";
const NAME = /^[A-Za-z_][A-Za-z0-9_.@+\\-]{0,254}$/;
const KEEP_MS = 60_000;
/** Where the accounts of people begin (login.defs, UID_MIN). */
const UID_MIN = 1_000;

/** Finds accounts, and remembers them for a minute. */
export class Accounts {
  readonly #policy: AccountPolicy;
  readonly #known = new Map<string, { readonly account: Promise<Account | undefined>; readonly at: number }>();

  constructor(policy: AccountPolicy) {
    this.#policy = policy;
  }

  /**
   * Returns the account that `user` works as.
   * @throws INVALID_SPEC when there is none, or it is root's or the system's and that is not allowed.
   */
  async resolve(user: string): Promise<Account> {
    const isMapped = user === ANONYMOUS && this.#policy.defaultUser !== "";
    const name = isMapped ? this.#policy.defaultUser : user;
    if (!NAME.test(name)) throw refused(`${JSON.stringify(user)} cannot be the name of an account`);
    const account = await this.#find(name);
    if (account === undefined) {
      const advice = user === ANONYMOUS ? "start the agent with --default-user" : "create the account on the node";
      throw refused(`this node has no account ${name}`, advice);
    }
    if (this.#policy.allowsRoot || isMapped) return account;
    if (account.uid === 0) {
      throw refused(
        `account ${name} is root, which may not run work on this node`,
        "start the agent with --allow-root",
      );
    }
    const { uidMin = UID_MIN } = this.#policy;
    if (account.uid >= uidMin) return account;
    throw refused(
      `account ${name} (uid ${account.uid}) is the system's, which may not run work on this node`,
      `use an account of a person, or start the agent with --min-uid=${account.uid}`,
    );
  }

  #find(name: string): Promise<Account | undefined> {
    const now = Date.now();
    const known = this.#known.get(name);
    if (known !== undefined && now - known.at < KEEP_MS) return known.account;
    const account = findAccount(name);
    this.#known.set(name, { account, at: now });
    account.then(
      (found) => found ?? this.#known.delete(name),
      () => this.#known.delete(name),
    );
    return account;
  }
}

/** Returns the account that this process runs as. */
export async function ownAccount(): Promise<Account> {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  const line = (await passwdLines()).find((text) => text.split(":")[2] === String(uid));
  const account = line === undefined ? undefined : parseAccount(line);
  return account ?? { name: String(uid), uid, gid, home: process.env.HOME ?? "/", shell: "/bin/sh" };
}

/** Reads one line of the account database. */
export function parseAccount(line: string): Account | undefined {
  const [name, , uid, gid, , home, shell] = line.split(":");
  if (name === undefined || uid === undefined || gid === undefined) return undefined;
  if (!/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home: home || "/", shell: shell?.trim() || "/bin/sh" };
}

async function findAccount(name: string): Promise<Account | undefined> {
  const local = (await passwdLines()).find((line) => line.startsWith(`${name}:`));
  if (local !== undefined) return parseAccount(local);
  const getent = Bun.which("getent", { PATH: "/usr/bin:/bin" });
  if (getent === null) return undefined;
  const child = Bun.spawn([getent, "passwd", name], { stdin: "ignore", stderr: "ignore", env: {} });
  const account = parseAccount((await new Response(child.stdout).text()).split("\n")[0] ?? "");
  // The name service may answer for a number or another spelling: only the very name counts.
  return account?.name === name ? account : undefined;
}

async function passwdLines(): Promise<readonly string[]> {
  try {
    return (await readFile("/etc/passwd", "utf8")).split("\n");
  } catch {
    return [];
  }
}

const refused = (message: string, next?: string) => new LatticeError(fault("INVALID_SPEC", message, next));
