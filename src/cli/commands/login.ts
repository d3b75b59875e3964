/** `lattice login`: gets a token from the site's identity provider and keeps it. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { logInByBrowser } from "../auth/browser-login.ts";
import { chooseFlows, FLOWS, type Flow } from "../auth/choose-flow.ts";
import { logInByDevice } from "../auth/device-login.ts";
import { loginFrom, type Provider, reachProvider, type Tokens } from "../auth/identity-provider.ts";
import { FlowUnavailable, type LogIn, type LoginWorld } from "../auth/login-world.ts";
import { openBrowser } from "../auth/open-browser.ts";
import { logInByPaste } from "../auth/pasted-login.ts";
import { type Login, loginsPath, SavedLogins } from "../auth/saved-logins.ts";
import { askWhoAmI, discoverAuth, type WhoAmI } from "../auth/server-auth.ts";
import { logInByService } from "../auth/service-login.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import type { Given } from "../grammar/given.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { printable } from "../render/table.ts";
import { moment } from "../render/text.ts";

/** `lattice login`. */
export const login: Command = {
  kind: "command",
  name: "login",
  summary: "Log in at the site's identity provider",
  details: [
    "The server says which provider. With a display and no SSH, your browser opens; otherwise you log in with the browser of any other machine. The token is kept in ~/.config/lattice/tokens.json, readable by you alone, and renewed in silence.",
    "A service logs in with LATTICE_CLIENT_ID and LATTICE_CLIENT_SECRET. A token in LATTICE_TOKEN wins over every login.",
  ],
  flags: {
    flow: {
      type: "string",
      valueHint: "FLOW",
      choices: FLOWS,
      description: "How to log in, instead of what fits here",
    },
    scope: {
      type: "string",
      valueHint: "SCOPE",
      isRepeated: true,
      description: "Ask for this scope too, as for a role",
    },
    "client-id": { type: "string", valueHint: "ID", description: "Client of the provider (LATTICE_CLIENT_ID)" },
    "client-secret-file": {
      type: "string",
      valueHint: "FILE",
      completes: "file",
      description: "File with the secret of a service (LATTICE_CLIENT_SECRET)",
    },
  },
  examples: [
    ["lattice login", "with whatever browser there is"],
    ["lattice login --flow device", "by a code that you enter on another machine"],
    ["lattice login --server https://lattice-01:8080 --scope operator", "at another server, as an operator"],
  ],
  run: async (given, context) => {
    const { terminal, settings } = context;
    const env = environmentOf(given);
    const { issuer, clientId: audience } = await discoverAuth(context);
    warnOfClearText([...settings.endpoints, issuer], context);
    const { LATTICE_CLIENT_ID: clientId = audience, LATTICE_CLIENT_SECRET: secret } = env;
    const provider = await reachProvider({ issuer, clientId, audience, secret });
    const scope = scopeOf(given, provider);
    const tokens = await logIn(provider, flowsOf(given, env, provider), worldOf(context, scope));
    const found = loginFrom(provider, tokens, { scope, now: context.now() });
    const who = await askWhoAmI(context, found.token);
    await keep({ ...found, user: who.user }, context);
    terminal.out(
      settings.isQuiet ? `${who.user}\n` : `Logged in at ${settings.endpoints.join(", ")} as ${describe(who)}.\n`,
    );
    if (settings.token !== undefined)
      terminal.err("The token of LATTICE_TOKEN or --token is used as long as it is given.\n");
    return EXIT.ok;
  },
};

/** Returns how people are told who they are. */
export function describe({ user, role, tenant, node, validUntil }: WhoAmI): string {
  const of = tenant === "" ? "" : ` of tenant ${tenant}`;
  const bound = node === "" ? "" : `, for node ${node} only`;
  return printable(`${user}, ${role}${of}${bound}${validUntil === undefined ? "" : `, until ${moment(validUntil)}`}`);
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Flags stand for the variables, so that everything else reads these alone. */
function environmentOf(given: Given): Environment {
  const { LATTICE_CLIENT_ID, LATTICE_CLIENT_SECRET, ...rest } = process.env;
  const clientId = given.text("client-id") ?? LATTICE_CLIENT_ID;
  const file = given.text("client-secret-file");
  const secret = file === undefined ? LATTICE_CLIENT_SECRET : secretIn(file);
  return {
    ...rest,
    ...(clientId && { LATTICE_CLIENT_ID: clientId }),
    ...(secret && { LATTICE_CLIENT_SECRET: secret }),
  };
}

function secretIn(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new UsageError(`--client-secret-file: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** People ask for their name and for access while they are away, where the provider gives it; services for nothing. */
function scopeOf(given: Given, { configuration, secret }: Provider): string {
  const isOffline = configuration.serverMetadata().scopes_supported?.includes("offline_access") === true;
  const usual = secret === undefined ? ["openid", "profile", ...(isOffline ? ["offline_access"] : [])] : [];
  return [...new Set([...usual, ...given.all("scope")])].join(" ");
}

function flowsOf(given: Given, env: Environment, { configuration }: Provider): readonly Flow[] {
  const asked = FLOWS.find((flow) => flow === given.text("flow"));
  if (asked === "client-credentials" && env.LATTICE_CLIENT_SECRET === undefined) {
    throw new UsageError("the secret of the service is missing", "set LATTICE_CLIENT_SECRET or --client-secret-file");
  }
  const hasDeviceFlow = configuration.serverMetadata().device_authorization_endpoint !== undefined;
  return chooseFlows({ asked, env, platform: process.platform, hasDeviceFlow });
}

const LOG_IN: Readonly<Record<Flow, LogIn>> = {
  pkce: logInByBrowser,
  device: logInByDevice,
  manual: logInByPaste,
  "client-credentials": logInByService,
};

async function logIn(provider: Provider, flows: readonly Flow[], world: LoginWorld): Promise<Tokens> {
  for (const [i, flow] of flows.entries()) {
    try {
      return await LOG_IN[flow](provider, world);
    } catch (error) {
      if (!(error instanceof FlowUnavailable)) throw error;
      if (i === flows.length - 1) throw new UsageError(error.message, `try another --flow: ${FLOWS.join(", ")}`);
      world.say(`${error.message}; another way:\n`);
    }
  }
  throw new UsageError("there is no way to log in here");
}

const worldOf = ({ terminal, signal }: Context, scope: string): LoginWorld => ({
  scope,
  signal,
  say: (text) => terminal.err(`${text}\n`),
  open: (address) => openBrowser(address, process.env, process.platform),
  readLine: () =>
    new Promise((resolve) => {
      const lines = createInterface({ input: process.stdin });
      const finish = (line?: string) => {
        resolve(line);
        lines.close();
      };
      lines.once("line", finish);
      lines.once("close", () => resolve(undefined));
      signal.addEventListener("abort", () => finish(), { once: true });
    }),
});

async function keep(found: Login, { settings, terminal }: Context): Promise<void> {
  const saved = new SavedLogins(loginsPath(process.env), (text) => terminal.err(`warning: ${text}\n`));
  const entries = settings.endpoints.map((endpoint) => [endpoint, found] as const);
  await saved.change(async (logins) => ({ logins: { ...logins, ...Object.fromEntries(entries) }, result: undefined }));
}

function warnOfClearText(addresses: readonly string[], { terminal }: Context): void {
  for (const address of addresses) {
    const { protocol, hostname } = new URL(address);
    const isLocal = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
    if (protocol === "http:" && !isLocal) {
      terminal.err(`warning: ${address} is not protected by TLS: whoever is on the way can take your token\n`);
    }
  }
}
