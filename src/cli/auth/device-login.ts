/** Logging in with another machine's browser, by a short code (RFC 8628). */
import { initiateDeviceAuthorization, pollDeviceAuthorizationGrant } from "openid-client";
import { printable } from "../render/table.ts";
import { asking, refusalCode } from "./identity-provider.ts";
import type { LogIn } from "./login-world.ts";
import { FlowUnavailable, unlessGivenUp } from "./login-world.ts";

/** Logs in by a code that the user enters elsewhere. */
export const logInByDevice: LogIn = async ({ configuration, issuer }, { scope, say, signal }) => {
  const device = await asking(issuer, initiateDeviceAuthorization(configuration, { scope })).catch((error) => {
    const code = refusalCode(error);
    // Providers have many words for a client that may not use this flow; a wrong scope is wrong in every flow.
    if (code === undefined || code === "invalid_scope") throw error;
    throw new FlowUnavailable("the identity provider does not let this client log in by a code", { cause: error });
  });
  const { verification_uri: page, verification_uri_complete: complete, user_code: code } = device;
  const shortcut = complete === undefined ? "" : `\n\nor open ${printable(complete)}`;
  say(`On any machine, open\n\n  ${printable(page)}\n\nand enter the code ${printable(code)}${shortcut}\n`);
  const answer = asking(issuer, pollDeviceAuthorizationGrant(configuration, device, undefined, { signal }));
  return unlessGivenUp(answer, signal);
};
