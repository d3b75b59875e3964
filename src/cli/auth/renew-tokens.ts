/** A fresh token without the user: by the refresh token, or by a service's secret. */
import { clientCredentialsGrant, refreshTokenGrant } from "openid-client";
import { asking, type Provider, type Tokens } from "./identity-provider.ts";
import type { Login } from "./saved-logins.ts";

/** Returns fresh tokens. @throws UNAUTHENTICATED when the provider gives none. */
export function renewTokens({ configuration, issuer }: Provider, { refreshToken, scope }: Login): Promise<Tokens> {
  if (refreshToken !== undefined) return asking(issuer, refreshTokenGrant(configuration, refreshToken));
  return asking(issuer, clientCredentialsGrant(configuration, scope === "" ? {} : { scope }));
}
