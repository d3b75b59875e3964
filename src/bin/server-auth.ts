/** From the configuration to how callers prove who they are: an identity provider, else a shared secret, else nothing. */
import type { AuthSettings } from "../api/auth/authenticate.ts";
import type { ServerConfig } from "../config/server-config.ts";
import { hmacVerifier } from "../io/oidc/hmac-verifier.ts";
import { jwksVerifier } from "../io/oidc/jwks-verifier.ts";
import { systemClock } from "../io/system-clock.ts";
import type { Logger } from "../ports/log.ts";

/** The settings of authentication, and how a fresh shared secret comes into use. */
export interface ServerAuth {
  readonly settings: AuthSettings;
  readonly useSecret: (config: ServerConfig) => void;
}

/** Returns how callers prove who they are. With a provider, begins to read its keys. */
export function authOf({ api: { auth, claims } }: ServerConfig, log: Logger): ServerAuth {
  if (auth.kind === "open") return { settings: {}, useSecret: () => {} };
  const audience = auth.audience === undefined ? {} : { audience: auth.audience };
  if (auth.kind === "oidc") {
    const verifier = jwksVerifier({ issuer: auth.issuer, ...audience, clock: systemClock, log });
    return { settings: { verifier, claims }, useSecret: () => {} };
  }
  let secret = auth.secret.reveal();
  let verifier = hmacVerifier(secret, auth.audience);
  return {
    settings: {
      get verifier() {
        return verifier;
      },
      claims,
    },
    useSecret({ api }) {
      const fresh = api.auth.kind === "hmac" ? api.auth.secret.reveal() : secret;
      if (fresh === secret) return;
      secret = fresh;
      verifier = hmacVerifier(secret, auth.audience);
      log.info("the shared secret of tokens is replaced: tokens of the former one are refused");
    },
  };
}
