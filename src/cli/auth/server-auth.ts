/** What a server says about logging in, and whom it takes the caller for. */
import { getJson } from "../../client/get-json.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { Context } from "../context.ts";

/** Where to log in. */
export interface AuthDiscovery {
  readonly issuer: string;
  readonly clientId: string;
}

/** Whom a server takes the caller for. */
export interface WhoAmI {
  readonly user: string;
  readonly role: string;
  readonly tenant: string;
  readonly node: string;
  /** Milliseconds since the epoch; absent where the caller needed no token. */
  readonly validUntil?: number;
}

const textIn = (value: unknown): string => (typeof value === "string" ? value : "");

/** Returns where to log in. @throws NOT_SUPPORTED when the server has no identity provider. */
export async function discoverAuth({ settings, signal }: Context): Promise<AuthDiscovery> {
  const { endpoints, timeoutMs, tls } = settings;
  const answer = await getJson({ endpoints, timeoutMs, tls, signal, path: "/api/v1/auth/discovery" });
  const issuer = textIn(answer.issuer) || textIn(answer.idp_url);
  if (issuer !== "" && URL.canParse(issuer)) return { issuer, clientId: textIn(answer.client_id) };
  const next = "it needs no login, or a token in LATTICE_TOKEN";
  throw new LatticeError(fault("NOT_SUPPORTED", `${endpoints[0]} names no identity provider to log in at`, next));
}

/** Returns whom the server takes the bearer of `token` for. @throws UNAUTHENTICATED and others as the server says. */
export async function askWhoAmI({ settings, signal }: Context, token: string | undefined): Promise<WhoAmI> {
  const { endpoints, timeoutMs, tls } = settings;
  const answer = await getJson({ endpoints, timeoutMs, tls, signal, token, path: "/api/v1/auth/whoami" });
  const until = Date.parse(textIn(answer.valid_until));
  return {
    user: textIn(answer.user),
    role: textIn(answer.role),
    tenant: textIn(answer.tenant),
    node: textIn(answer.node),
    ...(Number.isFinite(until) && { validUntil: until }),
  };
}
