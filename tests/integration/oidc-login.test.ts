/**
 * Shows the ways to log in from the command line, each driven through a real identity
 * provider to a real server: the browser of this machine, a code, a pasted address, a
 * service's secret. Then what is kept and how, renewal in silence, and the end of a login.
 * An HTTP client plays the browser.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname } from "node:path";
import { createApi } from "../../src/api/create-api.ts";
import { millis } from "../../src/base/brand.ts";
import { submit } from "../../src/engine/server/operations/submit-allocation.ts";
import { listenRest } from "../../src/io/http/rest-listener.ts";
import { jwksVerifier } from "../../src/io/oidc/jwks-verifier.ts";
import { CLOCK_LEEWAY_MS } from "../../src/io/oidc/verify-token.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { playBrowser } from "../fixtures/oidc-browser.ts";
import { CliUser } from "../fixtures/oidc-cli.ts";
import { CLIENT_ID, type Flavour, SERVICE, TestProvider } from "../fixtures/oidc-provider.ts";
import { aCall, startTestServer, type TestServer } from "../fixtures/test-server.ts";

const HERE = { DISPLAY: ":0" };
const OVER_SSH = { DISPLAY: ":0", SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" };

const ACCOUNTS = {
  ann: { scope: "operator", claims: { tenant: "physics" } },
  bob: { claims: { tenant: "law", pact_role: "tenant-admin" } },
  root: { claims: { pact_role: "system-admin" } },
  nightly: { scope: "readonly" },
};

let running: TestServer;
let site: Site;
let provider: TestProvider;
let server: string;
beforeAll(async () => {
  running = await startTestServer();
  site = await startSite("keycloak");
  ({ provider, address: server } = site);
});
afterAll(async () => {
  await site.stop();
  await running.stop();
});

interface Site {
  readonly provider: TestProvider;
  readonly address: string;
  stop(): Promise<void>;
}

/** A provider, and the API of a server set up for it as the guide says. */
async function startSite(flavour: Flavour, { server: behind } = running, tokenSeconds = 300): Promise<Site> {
  const at = await TestProvider.start({ flavour, accounts: ACCOUNTS, tokenSeconds });
  const { issuer } = at;
  const verifier = jwksVerifier({ issuer, audience: CLIENT_ID, clock: systemClock, log: behind.log });
  const api = createApi({ server: behind, auth: { verifier }, discovery: { issuer, clientId: CLIENT_ID } });
  const rest = listenRest({ host: "127.0.0.1", port: 0 }, api);
  return {
    provider: at,
    address: `http://127.0.0.1:${rest.port}`,
    async stop() {
      api.stop();
      await rest.close(500);
      at.stop();
    },
  };
}

let user: CliUser;
beforeEach(() => {
  user = new CliUser(server);
});
afterEach(() => {
  provider.isAway = false;
  user.leave();
});

const ADDRESS = /^ {2}(http:\S+\/auth\?\S+)$/m;

/** Logs ann in with the browser of this machine. */
async function logInHere(one: CliUser = user, words: readonly string[] = []) {
  const login = one.start(["login", ...words], HERE);
  const end = await playBrowser(await login.said(ADDRESS), "ann");
  const page = await fetch(end);
  return { ...(await login.ended), page };
}

const saved = (one: CliUser = user) => JSON.parse(readFileSync(one.tokensPath, "utf8")).servers[server];

/** Changes the saved login, as time or somebody else would. */
function alterSaved(change: object): void {
  const file = JSON.parse(readFileSync(user.tokensPath, "utf8"));
  file.servers[server] = { ...file.servers[server], ...change };
  writeFileSync(user.tokensPath, JSON.stringify(file), { mode: 0o600 });
}

test("with a display the browser of this machine logs in, and every command after it is ann's", async () => {
  const { code, out, page } = await logInHere();
  expect(out).toStartWith(`Logged in at ${server} as ann, Operator of tenant physics, until `);
  expect([code, page.status]).toEqual([0, 200]);
  expect(await page.text()).toContain("You can close this page");
  expect((await user.run("whoami", "-q")).out).toBe("ann\n");
  expect(JSON.parse((await user.run("whoami", "-o", "json")).out)).toMatchObject({
    role: "Operator",
    tenant: "physics",
  });
  expect((await user.run("nodes")).code).toBe(0);
});

test("a provider like Dex, which passes a role through, logs in just so", async () => {
  const dex = await startSite("dex");
  try {
    const one = new CliUser(dex.address);
    const login = one.start(["login"], HERE);
    await fetch(await playBrowser(await login.said(ADDRESS), "bob"));
    expect((await login.ended).out).toStartWith(
      `Logged in at ${dex.address} as bob, TenantAdmin of tenant law, until `,
    );
    one.leave();
  } finally {
    await dex.stop();
  }
});

test("a client that may not use codes is led to the pasted address, and a token for another client is not kept", async () => {
  const login = user.start(["login", "--client-id", "another-client"], OVER_SSH);
  await login.said(/does not let this client log in by a code; another way/);
  login.type(await playBrowser(await login.said(ADDRESS), "ann"));
  expect(await login.ended).toMatchObject({ code: 5, err: expect.stringContaining("not for lattice") });
  expect(existsSync(user.tokensPath)).toBe(false);
});

test("a login that the person declines says so", async () => {
  const login = user.start(["login"], HERE);
  const back = new URL(await login.said(ADDRESS)).searchParams;
  const answer = new URLSearchParams({ error: "access_denied", state: back.get("state") ?? "", iss: provider.issuer });
  await fetch(`http://localhost:8400/callback?${answer}`);
  expect(await login.ended).toMatchObject({ code: 5, err: expect.stringContaining("refuses: access_denied") });
});

test("without a login, commands say how to log in", async () => {
  expect(await user.run("nodes")).toEqual({
    code: 5,
    out: "",
    err: "error: the request has no token\n  log in with: lattice login; or set LATTICE_TOKEN\n",
  });
});

test("over SSH a code logs in, and a display that is forwarded does not change that", async () => {
  const login = user.start(["login"], OVER_SSH);
  const address = await login.said(/or open (http:\S+)/);
  expect(await login.said(/enter the code (\S+)/)).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
  expect(await playBrowser(address, "ann")).toContain("Success");
  expect(await login.ended).toMatchObject({ code: 0, out: expect.stringContaining("as ann, Operator") });
});

test("a pasted address logs in, and one of another login does not", async () => {
  const login = user.start(["login", "--flow", "manual"]);
  login.type(await playBrowser(await login.said(ADDRESS), "ann"));
  expect(await login.ended).toMatchObject({ code: 0, out: expect.stringContaining("as ann, Operator") });
  const other = new CliUser(server);
  const first = other.start(["login", "--flow", "manual"]);
  const second = other.start(["login", "--flow", "manual"]);
  const stolen = await playBrowser(await first.said(ADDRESS), "ann");
  await second.said(ADDRESS);
  second.type(stolen);
  expect(await second.ended).toMatchObject({ code: 5, err: expect.stringContaining("belongs to another login") });
  first.type("https://evil.example.com/callback?code=1");
  expect(await first.ended).toMatchObject({ code: 2, err: expect.stringContaining("not an address that begins") });
  expect(existsSync(other.tokensPath)).toBe(false);
  other.leave();
});

test("a service logs in by its secret, from the environment or a file, and its secret is not kept", async () => {
  const env = { LATTICE_CLIENT_ID: SERVICE.id, LATTICE_CLIENT_SECRET: SERVICE.secret };
  const { code, out } = await user.start(["login"], env).ended;
  expect([code, out]).toEqual([0, expect.stringContaining("as nightly, ReadOnly")]);
  const path = `${user.home}/secret`;
  writeFileSync(path, `${SERVICE.secret}\n`);
  const words = ["login", "--flow", "client-credentials", "--client-id", SERVICE.id, "--client-secret-file", path];
  expect((await user.run(...words)).code).toBe(0);
  expect(readFileSync(user.tokensPath, "utf8")).not.toContain(SERVICE.secret);
  alterSaved({ expiresAt: 0 });
  expect((await user.start(["whoami", "-q"], env).ended).out).toBe("nightly\n");
  alterSaved({ expiresAt: 0 });
  expect(await user.run("whoami")).toMatchObject({ code: 5, err: expect.stringContaining("has ended") });
  expect((await user.start(["login"], { ...env, LATTICE_CLIENT_SECRET: "wrong" }).ended).code).toBe(5);
});

test("who knocks at the callback without the state gets nothing, and the login goes on", async () => {
  const login = user.start(["login"], HERE);
  const address = await login.said(ADDRESS);
  for (const path of ["/", "/callback", "/callback?code=evil&state=guess", "/callback?error=access_denied"]) {
    expect((await fetch(`http://localhost:8400${path}`)).status).toBe(404);
  }
  await fetch(await playBrowser(address, "ann"));
  expect((await login.ended).code).toBe(0);
});

test("a port that somebody else holds is not shared: another way is taken, or the user is told", async () => {
  const squatter = createServer().listen(8400, "127.0.0.1");
  await new Promise((resolve) => squatter.once("listening", resolve));
  try {
    expect(await user.start(["login", "--flow", "pkce"], HERE).ended).toMatchObject({
      code: 2,
      err: expect.stringContaining("port 8400, where the browser comes back, is not free"),
    });
    const login = user.start(["login"], HERE);
    expect(await login.said(/enter the code/)).toBe("enter the code");
    login.interrupt();
    expect((await login.ended).code).toBe(130);
  } finally {
    squatter.close();
  }
});

test("a login that the user gives up leaves nothing behind", async () => {
  for (const words of [["login"], ["login", "--flow", "manual"], ["login", "--flow", "device"]]) {
    const login = user.start(words, HERE);
    await login.said(/http:/);
    login.interrupt();
    expect((await login.ended).code).toBe(130);
  }
  expect(existsSync(user.tokensPath)).toBe(false);
});

test("the tokens are the user's alone; a file that others can read is put right with a warning", async () => {
  await logInHere();
  expect(statSync(user.tokensPath).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(user.tokensPath)).mode & 0o777).toBe(0o700);
  expect(readdirSync(dirname(user.tokensPath))).toEqual(["tokens.json"]);
  chmodSync(user.tokensPath, 0o644);
  expect(await user.run("whoami", "-q")).toMatchObject({ out: "ann\n", err: expect.stringContaining("mode 644") });
  expect(statSync(user.tokensPath).mode & 0o777).toBe(0o600);
  expect((await user.run("whoami", "-q")).err).toBe("");
});

test("a damaged file is named, and no token is sent", async () => {
  await logInHere();
  writeFileSync(user.tokensPath, "{}");
  expect(await user.run("nodes")).toMatchObject({ code: 2, err: expect.stringContaining("tokens.json is damaged") });
});

test("a login at one server is not shown to another", async () => {
  await logInHere();
  const seen: (string | null)[] = [];
  const other = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      seen.push(request.headers.get("authorization"));
      return new Response("", { status: 401 });
    },
  });
  await user.run("nodes", "--server", other.url.origin);
  other.stop(true);
  expect(seen).toEqual([null]);
});

test("a token that ends is renewed in silence, once, however many commands run", async () => {
  await logInHere();
  const before = saved();
  alterSaved({ expiresAt: Date.now() + 1_000 });
  const runs = await Promise.all([1, 2, 3, 4].map(() => user.run("whoami", "-q")));
  expect(runs).toEqual(runs.map(() => ({ code: 0, out: "ann\n", err: "" })));
  const after = saved();
  expect(after.token).not.toBe(before.token);
  expect(after.refreshToken).not.toBe(before.refreshToken);
  expect(after.user).toBe("ann");
});

test("while the provider is away, a token that still holds is used, and one that has ended is not", async () => {
  await logInHere();
  provider.isAway = true;
  alterSaved({ expiresAt: Date.now() + 20_000 });
  expect((await user.run("whoami", "-q")).out).toBe("ann\n");
  alterSaved({ expiresAt: 0 });
  expect(await user.run("whoami")).toMatchObject({ code: 8, err: expect.stringContaining("identity provider") });
});

test("a watch goes on when its token ends, and misses nothing after that", async () => {
  // Most of the leeway ahead, so that tokens of four seconds end the streams that they open after two or three.
  const clock = { ...systemClock, now: () => millis(systemClock.now() + CLOCK_LEEWAY_MS + 1_000) };
  const ahead = await startTestServer({ clock });
  const brief = await startSite("dex", ahead, 4);
  const one = new CliUser(brief.address);
  try {
    const login = one.start(["login"], HERE);
    await fetch(await playBrowser(await login.said(ADDRESS), "root"));
    expect((await login.ended).code).toBe(0);
    const watch = one.start(["watch", "-o", "json"]);
    await Bun.sleep(5_000);
    await submit(ahead.server, aCall(), { kind: "single", request: { tenant: "default", entrypoint: "true" } });
    await Bun.sleep(500);
    watch.interrupt();
    expect(await watch.ended).toMatchObject({ code: 130, out: expect.stringContaining('"state":"pending"'), err: "" });
  } finally {
    one.leave();
    await brief.stop();
    await ahead.stop();
  }
});

test("a logout takes the refresh token back, so that a copy of the file is worth nothing", async () => {
  await logInHere();
  const copy = { ...saved(), expiresAt: 0 };
  expect(await user.run("logout")).toMatchObject({ code: 0, out: `Logged out of ${server}.\n`, err: "" });
  expect(saved()).toBeUndefined();
  expect((await user.run("nodes")).code).toBe(5);
  expect(await user.run("logout")).toMatchObject({ code: 0, err: "There is no login to end.\n" });
  alterSaved(copy);
  expect(await user.run("whoami")).toMatchObject({ code: 5, err: expect.stringContaining("has ended") });
});

test("a logout forgets the login although the provider is away, and says what that leaves", async () => {
  await logInHere();
  provider.isAway = true;
  expect(await user.run("logout", "--all")).toMatchObject({
    code: 0,
    err: expect.stringContaining("could not be taken back"),
  });
  expect(saved()).toBeUndefined();
});

test("a token given on the command line or by the environment wins over the login", async () => {
  await logInHere();
  const { code, err } = await user.start(["whoami"], { LATTICE_TOKEN: "garbage" }).ended;
  expect([code, err]).toEqual([5, expect.stringContaining("not a well-formed JSON web token")]);
});

test("a login asks the next server when one is away, and says what does not look like a server", async () => {
  const away = "http://127.0.0.1:1";
  expect((await user.run("whoami", "--server", `${away},${server}`)).code).toBe(5);
  await logInHere(user, ["--server", `${away},${server}`]);
  expect((await user.run("whoami", "-q")).out).toBe("ann\n");
  expect(await user.run("login", "--server", away)).toMatchObject({
    code: 8,
    err: expect.stringContaining("no answer"),
  });
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<html>") });
  const { code, err } = await user.run("login", "--server", other.url.origin);
  other.stop(true);
  expect([code, err]).toEqual([8, expect.stringContaining("is it a Lattice server?")]);
});

test("what a hostile provider writes reaches neither the terminal nor the browser as it is", async () => {
  const evil = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { origin, pathname } = new URL(request.url);
      if (pathname.endsWith("discovery")) return Response.json({ issuer: origin, client_id: "lattice" });
      if (pathname === "/device") {
        const title = "\u001b]0;owned\u0007";
        return Response.json({ device_code: "d", user_code: title, verification_uri: title, expires_in: 60 });
      }
      const endpoints = { authorization_endpoint: "file:///etc/passwd", token_endpoint: `${origin}/token` };
      return Response.json({ issuer: origin, ...endpoints, device_authorization_endpoint: `${origin}/device` });
    },
  });
  const flags = ["login", "--server", evil.url.origin];
  expect((await user.start([...flags, "--flow", "pkce"], HERE).ended).code).toBe(8);
  const login = user.start([...flags, "--flow", "device"]);
  await login.said(/enter the code/);
  login.interrupt();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect((await login.ended).err).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  evil.stop(true);
});

test("a server without an identity provider says that there is nowhere to log in", async () => {
  const open = createApi({ server: running.server, auth: {} });
  const listener = listenRest({ host: "127.0.0.1", port: 0 }, open);
  const at = `http://127.0.0.1:${listener.port}`;
  expect(await user.run("login", "--server", at)).toMatchObject({
    code: 10,
    err: expect.stringContaining("names no identity"),
  });
  expect((await user.run("whoami", "--server", at)).out).toContain("nothing: the server asks nobody");
  open.stop();
  await listener.close(500);
});
