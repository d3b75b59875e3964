/**
 * The identity provider of a site, as the CLI asks it: what it offers, its tokens, and its
 * refusals in plain words. Loaded only when somebody logs in or out or a token is renewed.
 */
import {
  AuthorizationResponseError,
  allowInsecureRequests,
  ClientSecretBasic,
  type Configuration,
  discovery,
  None,
  ResponseBodyError,
  type TokenEndpointResponse,
  WWWAuthenticateChallengeError,
} from "openid-client";
import { LatticeError } from "../../core/domain/errors.ts";
import type { Login } from "./saved-logins.ts";
import { type Claims, claimsOf } from "./token-claims.ts";

/** Who asks the provider, and for whom. */
export interface ProviderClient {
  readonly issuer: string;
  readonly clientId: string;
  /** Of a service; people's clients have none. */
  readonly secret?: string | undefined;
  /** The client id that servers expect tokens to be for. */
  readonly audience: string;
}

/** A provider that has answered. */
export interface Provider extends ProviderClient {
  readonly configuration: Configuration;
}

/** What the provider gives. */
export type Tokens = TokenEndpointResponse;

const TIMEOUT_S = 30;
const TOKEN_LIFE_DEFAULT_MS = 300_000;

/** Returns the provider once it has said what it offers. @throws SERVER_UNREACHABLE */
export async function reachProvider(client: ProviderClient): Promise<Provider> {
  const { issuer, clientId, secret } = client;
  const proof = secret === undefined ? None() : ClientSecretBasic(secret);
  const execute = issuer.startsWith("http:") ? [allowInsecureRequests] : [];
  const options = { execute, timeout: TIMEOUT_S };
  const configuration = await asking(issuer, discovery(new URL(issuer), clientId, undefined, proof, options));
  return { ...client, configuration };
}

/** Returns what the provider answers, or throws what it refuses as a LatticeError. */
export async function asking<T>(issuer: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw providerError(error, issuer);
  }
}

/** Returns the OAuth error code of a refusal, or undefined. */
export const refusalCode = (error: unknown): string | undefined => {
  const cause = error instanceof LatticeError ? error.cause : error;
  return cause instanceof ResponseBodyError || cause instanceof AuthorizationResponseError ? cause.error : undefined;
};

/** Returns what to remember of the tokens. What servers can check is the access token of most providers, else the ID token. */
export function loginFrom(
  { issuer, clientId, audience }: ProviderClient,
  tokens: Tokens,
  { scope, now }: { readonly scope: string; readonly now: number },
): Login {
  const isChecked = isFor(claimsOf(tokens.access_token), audience);
  const token = isChecked || tokens.id_token === undefined ? tokens.access_token : tokens.id_token;
  const { exp } = claimsOf(token);
  const life = tokens.expires_in === undefined ? TOKEN_LIFE_DEFAULT_MS : tokens.expires_in * 1_000;
  return {
    issuer,
    clientId,
    audience,
    scope,
    token,
    expiresAt: typeof exp === "number" ? exp * 1_000 : now + life,
    ...(tokens.refresh_token !== undefined && { refreshToken: tokens.refresh_token }),
  };
}

const isFor = ({ aud, azp }: Claims, audience: string): boolean => [aud].flat().includes(audience) || azp === audience;

/** Returns why the provider refuses, or undefined when it did not get that far. */
function refusalIn(error: unknown): string | undefined {
  if (error instanceof ResponseBodyError || error instanceof AuthorizationResponseError) {
    return error.error_description ?? error.error;
  }
  return error instanceof WWWAuthenticateChallengeError ? "it does not accept this client and its secret" : undefined;
}

function providerError(error: unknown, issuer: string): LatticeError {
  if (error instanceof LatticeError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const why = refusalIn(error);
  if (why !== undefined) {
    const message = `the identity provider refuses: ${why}`;
    return new LatticeError(
      { reason: "UNAUTHENTICATED", message, next: "log in again with: lattice login" },
      { cause: error },
    );
  }
  const cause = error instanceof Error && error.cause instanceof Error ? `${text}: ${error.cause.message}` : text;
  const message = `no usable answer from the identity provider ${issuer}: ${cause}`;
  return new LatticeError(
    { reason: "SERVER_UNREACHABLE", message, next: "try again when it answers" },
    { cause: error },
  );
}
