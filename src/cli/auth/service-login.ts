/** Logging in as a service, by its own secret (RFC 6749, section 4.4). */
import { clientCredentialsGrant } from "openid-client";
import { asking } from "./identity-provider.ts";
import type { LogIn } from "./login-world.ts";

/** Logs in by the secret that the provider was reached with. */
export const logInByService: LogIn = ({ configuration, issuer }, { scope }) =>
  asking(issuer, clientCredentialsGrant(configuration, scope === "" ? {} : { scope }));
