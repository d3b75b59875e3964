/**
 * The token that requests carry: the saved login's, renewed in silence shortly before it
 * ends. Commands that run at the same time renew it once, since many providers take a
 * second use of a refresh token for a theft.
 */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { type Login, type Logins, loginsPath, SavedLogins } from "./saved-logins.ts";

/** Time before its end at which a token is renewed. */
const EARLY_MS = 30_000;

/** What renewing needs. */
export interface BearerParts {
  readonly saved: SavedLogins;
  readonly endpoints: readonly string[];
  readonly now: () => number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Returns what gives the token of the moment; undefined where nobody has logged in. */
export function bearerOf(parts: BearerParts): () => Promise<string | undefined> {
  let login: Login | undefined;
  let hasRead = false;
  return async () => {
    if (!hasRead) login = parts.saved.find(parts.endpoints);
    hasRead = true;
    if (login !== undefined && parts.now() >= login.expiresAt - EARLY_MS) login = await renewed(login, parts);
    return login?.token;
  };
}

/** Returns what gives the token of this process's user. */
export function savedBearer(endpoints: readonly string[]): () => Promise<string | undefined> {
  return bearerOf({ saved: ownLogins(), endpoints, now: Date.now, env: process.env });
}

/** Returns the saved login of this process's user at one of the servers. */
export const savedLogin = (endpoints: readonly string[]): Login | undefined => ownLogins().find(endpoints);

const ownLogins = (): SavedLogins =>
  new SavedLogins(loginsPath(process.env), (text) => process.stderr.write(`warning: ${text}\n`));

/** @throws UNAUTHENTICATED when only another login helps. */
async function renewed(login: Login, parts: BearerParts): Promise<Login> {
  const isOver = parts.now() >= login.expiresAt;
  try {
    return await parts.saved.change((logins) => renewedIn(logins, parts));
  } catch (error) {
    // What still holds is used while the provider is away.
    const isAway = error instanceof LatticeError && error.fault.reason === "SERVER_UNREACHABLE";
    if (isAway && !isOver) return login;
    throw error;
  }
}

async function renewedIn(logins: Logins, { endpoints, now, env }: BearerParts) {
  const [server, login] = entryOf(logins, endpoints);
  if (login === undefined) throw ended(server);
  // Another command was faster.
  if (now() < login.expiresAt - EARLY_MS) return { logins, result: login };
  const fresh = {
    ...(await exchanged(login, { server, now, env })),
    ...(login.user !== undefined && { user: login.user }),
  };
  const isSame = (other: Login) => other.token === login.token && other.issuer === login.issuer;
  const entries = Object.entries(logins).map(([at, other]) => [at, isSame(other) ? fresh : other] as const);
  return { logins: Object.fromEntries(entries), result: fresh };
}

const entryOf = (logins: Logins, endpoints: readonly string[]): readonly [string, Login | undefined] => {
  const server = endpoints.find((endpoint) => logins[endpoint] !== undefined) ?? endpoints[0] ?? "";
  return [server, logins[server]];
};

interface Exchange extends Pick<BearerParts, "now" | "env"> {
  readonly server: string;
}

async function exchanged(login: Login, { server, now, env }: Exchange): Promise<Login> {
  const { issuer, clientId, audience, scope, refreshToken } = login;
  const isService = env.LATTICE_CLIENT_ID === clientId && Boolean(env.LATTICE_CLIENT_SECRET);
  if (refreshToken === undefined && !isService) {
    if (now() < login.expiresAt) return login;
    throw ended(server);
  }
  const { reachProvider, loginFrom, refusalCode } = await import("./identity-provider.ts");
  const { renewTokens } = await import("./renew-tokens.ts");
  const secret = isService ? env.LATTICE_CLIENT_SECRET : undefined;
  const provider = await reachProvider({ issuer, clientId, audience, secret });
  try {
    const fresh = loginFrom(provider, await renewTokens(provider, login), { scope, now: now() });
    // A provider that does not change the refresh token does not repeat it either.
    return { ...(refreshToken !== undefined && { refreshToken }), ...fresh };
  } catch (error) {
    throw refusalCode(error) === "invalid_grant" ? ended(server, error) : error;
  }
}

const ended = (server: string, cause?: unknown): LatticeError =>
  new LatticeError(fault("TOKEN_EXPIRED", `the login at ${server} has ended`, "log in again with: lattice login"), {
    cause,
  });
