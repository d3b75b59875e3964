/** `lattice logout`: takes the saved login back at the provider and forgets it. */
import { tokenRevocation } from "openid-client";
import { asking, reachProvider } from "../auth/identity-provider.ts";
import { type Login, loginsPath, SavedLogins } from "../auth/saved-logins.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";

/** `lattice logout`. */
export const logout: Command = {
  kind: "command",
  name: "logout",
  summary: "Take the saved login back and forget it",
  flags: { all: { type: "boolean", description: "At every server that you have logged in at" } },
  examples: [["lattice logout --all", "leave no login behind on this machine"]],
  run: async (given, context) => {
    const { settings, terminal } = context;
    const saved = new SavedLogins(loginsPath(process.env), (text) => terminal.err(`warning: ${text}\n`));
    const ended = await saved.change(async (logins) => {
      const isEnded = (server: string) => given.has("all") || settings.endpoints.includes(server);
      const entries = Object.entries(logins);
      const tokens = new Set(entries.filter(([server]) => isEnded(server)).map(([, { token }]) => token));
      // A login that several addresses share is one login.
      const going = entries.filter(([, { token }]) => tokens.has(token));
      const staying = entries.filter(([, { token }]) => !tokens.has(token));
      return { logins: going.length === 0 ? logins : Object.fromEntries(staying), result: going };
    });
    if (ended.length === 0) terminal.err("There is no login to end.\n");
    for (const login of new Map(ended.map(([, one]) => [one.token, one])).values()) await revoke(login, context);
    if (ended.length > 0) terminal.out(`Logged out of ${ended.map(([server]) => server).join(", ")}.\n`);
    return EXIT.ok;
  },
};

/** What has been forgotten here should be worth nothing elsewhere; when that cannot be had, the user must know. */
async function revoke({ issuer, clientId, audience, refreshToken }: Login, { terminal }: Context): Promise<void> {
  if (refreshToken === undefined) return;
  try {
    const { configuration } = await reachProvider({ issuer, clientId, audience });
    if (configuration.serverMetadata().revocation_endpoint === undefined) {
      terminal.err(`warning: ${issuer} cannot take logins back: this one ends there by itself\n`);
      return;
    }
    await asking(issuer, tokenRevocation(configuration, refreshToken, { token_type_hint: "refresh_token" }));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    terminal.err(`warning: the login is forgotten here and could not be taken back at the provider: ${why}\n`);
  }
}
