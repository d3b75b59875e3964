/** The request that a browser carries to the identity provider, and the code that it brings back (RFC 6749, 7636, 9207). */
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { asking, type Provider, type Tokens } from "./identity-provider.ts";

/** Where providers send the browser; registered with them, so it is fixed. */
export const CALLBACK = { port: 8400, path: "/callback", address: "http://localhost:8400/callback" } as const;

/** A request on its way. */
export interface AuthorizationRequest {
  readonly address: string;
  /** Comes back with the answer, which is not ours otherwise. */
  readonly state: string;
  /** Returns the tokens for the address at which the browser came back. @throws UNAUTHENTICATED */
  readonly redeem: (end: URL) => Promise<Tokens>;
}

/** Makes a request for `scope`. */
export async function requestAuthorization(provider: Provider, scope: string): Promise<AuthorizationRequest> {
  const { configuration, issuer } = provider;
  const pkceCodeVerifier = randomPKCECodeVerifier();
  const state = randomState();
  const parameters = {
    redirect_uri: CALLBACK.address,
    scope,
    state,
    code_challenge: await calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    // OpenID Connect Core, section 11: without consent there is no access while the user is away.
    ...(scope.split(" ").includes("offline_access") && { prompt: "consent" }),
  };
  const address = await asking(issuer, (async () => buildAuthorizationUrl(configuration, parameters))());
  const checks = { pkceCodeVerifier, expectedState: state };
  return {
    address: address.href,
    state,
    async redeem(end) {
      if (end.searchParams.get("state") !== state) throw foreign();
      return asking(issuer, authorizationCodeGrant(configuration, end, checks));
    },
  };
}

const foreign = () =>
  new LatticeError(fault("UNAUTHENTICATED", "the address belongs to another login", "run lattice login again"));
