/** From the configuration to how callers prove who they are: an identity provider, else a shared secret, else nothing. */
import type { AuthSettings } from "../api/auth/authenticate.ts";
import type { ServerConfig } from "../config/server-config.ts";
import { hmacVerifier } from "../io/oidc/hmac-verifier.ts";
import { jwksVerifier } from "../io/oidc/jwks-verifier.ts";
import { systemClock } from "../io/system-clock.ts";
import type { Logger } from "../ports/log.ts";

/** Returns the settings of authentication. With a provider, begins to read its keys. */
export function authOf({ api: { auth, claims } }: ServerConfig, log: Logger): AuthSettings {
  if (auth.kind === "open") return {};
  const audience = auth.audience === undefined ? {} : { audience: auth.audience };
  const verifier =
    auth.kind === "hmac"
      ? hmacVerifier(auth.secret.reveal(), auth.audience)
      : jwksVerifier({ issuer: auth.issuer, ...audience, clock: systemClock, log });
  return { verifier, claims };
}
