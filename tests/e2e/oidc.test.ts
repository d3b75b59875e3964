/**
 * Shows that a site that follows docs/operations/login.md, once with Keycloak and once with
 * Dex, gets what it says: the built server started with two keys, an agent with a token of
 * its own, a person who logs in with the browser, submits, reads the output and logs out;
 * and that each step of the two set-up pages, read from the guide, gives the role it is for.
 */
import { afterAll, afterEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { YAML } from "bun";
import { playBrowser } from "../fixtures/oidc-browser.ts";
import { CliUser } from "../fixtures/oidc-cli.ts";
import { serviceToken } from "../fixtures/oidc-login.ts";
import { CLIENT_ID, type Flavour, REDIRECT_URI, SERVICE, TestProvider } from "../fixtures/oidc-provider.ts";
import { TempDir } from "../fixtures/temp-dir.ts";
import { Cluster, until } from "./cluster.ts";

const CLI = join(import.meta.dir, "../../dist/lattice");
/** Work runs under the login name, so the person has an account on this machine. */
const ME = Bun.spawnSync(["id", "-un"]).stdout.toString().trim();
const FLAVOURS: readonly Flavour[] = ["keycloak", "dex"];

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

test.each(FLAVOURS)("a site with a provider like %s works from the first login to the logout", async (flavour) => {
  const accounts = {
    [ME]: { scope: "tenant:admin", claims: { tenant: "default", pact_role: "tenant-admin" } },
    [SERVICE.id]: { scope: "operator", claims: { lattice_role: "operator" } },
  };
  const provider = await TestProvider.start({ flavour, accounts });
  open.push(() => provider.stop());
  const env = {
    LATTICE_API_OIDC_ISSUER: provider.issuer,
    LATTICE_API_OIDC_CLIENT_ID: CLIENT_ID,
    LATTICE_AGENT_TOKEN: await serviceToken(provider),
  };
  const cluster = await Cluster.start({ env });
  open.push(() => cluster.stop());
  cluster.launchAgent("n1");
  const user = new CliUser(cluster.url, [CLI]);
  open.push(() => user.leave());

  expect((await user.run("nodes")).code).toBe(5);
  const login = user.start(["login"], { DISPLAY: ":0" });
  await fetch(await playBrowser(await login.said(/^ {2}(http:\S+\/auth\?\S+)$/m), ME));
  expect((await login.ended).out).toContain(`as ${ME}, TenantAdmin of tenant default`);

  await until("the agent's token lets its node in", async () => (await user.run("nodes")).out.includes("n1"));
  const { out: id } = await user.run("submit", "-q", "--", "echo", "hello from a node");
  expect((await user.run("logs", "--follow", id.trim())).out).toBe("hello from a node\n");
  expect((await user.run("status", "--mine", "--all")).out).toContain(ME);
  expect((await user.run("admin", "tenant", "create", "--name", "law")).code).toBe(5);

  expect((await user.run("logout")).code).toBe(0);
  expect((await user.run("nodes")).code).toBe(5);
  expect(await cluster.log("server")).toContain("the identity provider answers");
});

const GUIDE = readFileSync(join(import.meta.dir, "../../docs/operations/login.md"), "utf8");
/** The YAML of the guide below a heading. */
const yamlBelow = (heading: string): string =>
  GUIDE.split(`\n## ${heading}\n`)[1]?.match(/```yaml\n([^`]+)```/)?.[1] ?? "";

/** The rows of the guide's table of roles: the role, and the words that give it. */
const ROLES = [
  ...GUIDE.matchAll(/^\| (SystemAdmin|TenantAdmin|Operator|ClaimingUser|ReadOnly) \|([^|]*)\|([^|]*)\|$/gm),
].map(([, role = "", scopes = "", claims = ""]) => ({ role, scopes: quoted(scopes), claims: quoted(claims) }));

function quoted(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);
}

const temp = new TempDir();
afterAll(() => temp[Symbol.dispose]());

/** A server with the file of the guide, in which only the address of the provider is another. */
async function startAsWritten(provider: TestProvider): Promise<Cluster> {
  const written = yamlBelow("Server").replace("https://keycloak.example.com/realms/hpc", provider.issuer);
  expect(YAML.parse(written)).toEqual({ api: { oidc_issuer: provider.issuer, oidc_client_id: CLIENT_ID } });
  const path = temp.join(`${crypto.randomUUID()}.yaml`);
  writeFileSync(path, `${written}\nquorum: {}\nstorage: {}\ntelemetry: {}\n`);
  const cluster = await Cluster.start({ serverFlags: ["--config", path] });
  open.push(() => cluster.stop());
  return cluster;
}

/** Logs in with the browser as each, and returns the roles that `lattice whoami` tells. */
async function rolesOf(cluster: Cluster, logins: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const roles: Record<string, string> = {};
  for (const name of logins) {
    const user = new CliUser(cluster.url, [CLI]);
    const login = user.start(["login"], { DISPLAY: ":0" });
    await fetch(await playBrowser(await login.said(/^ {2}(http:\S+\/auth\?\S+)$/m), name));
    expect((await login.ended).code).toBe(0);
    roles[name] = JSON.parse((await user.run("whoami", "-o", "json")).out).role;
    user.leave();
  }
  return roles;
}

test("the Keycloak page, step by step: each client scope that it makes gives its role, and a person without one is a user", async () => {
  const scopes = ROLES.flatMap(({ role, scopes }) => scopes.map((scope) => ({ role, scope })));
  expect(GUIDE).toContain("scopes `admin`, `tenant:admin`, `operator`, `sensitive:claim`, `readonly`");
  const wanted: Record<string, string> = { plain: "User", both: "TenantAdmin" };
  const accounts: Record<string, { scope?: string; claims: Record<string, unknown> }> = {
    plain: { claims: { tenant: "default" } },
    both: { claims: { tenant: "default", pact_role: "tenant-admin" } },
  };
  for (const { role, scope } of scopes) {
    const name = `of-${scope.replace(":", "-")}`;
    wanted[name] = role;
    accounts[name] = { scope, claims: { tenant: "default", pact_role: "nothing-of-ours" } };
  }
  const provider = await TestProvider.start({ flavour: "keycloak", accounts });
  open.push(() => provider.stop());
  const cluster = await startAsWritten(provider);
  const told: unknown = await (await fetch(`${cluster.url}/api/v1/auth/discovery`)).json();
  expect(told).toEqual({ idp_url: provider.issuer, client_id: CLIENT_ID, issuer: provider.issuer });
  expect(await rolesOf(cluster, Object.keys(accounts))).toEqual(wanted);
}, 60_000);

test("the Dex page, step by step: its client logs in, and each claim that it passes through gives its role", async () => {
  const [client] = Object(YAML.parse(yamlBelow("Dex"))).staticClients;
  expect(client).toEqual({ id: CLIENT_ID, name: "Lattice Scheduler", redirectURIs: [REDIRECT_URI], public: true });
  const wanted: Record<string, string> = { plain: "User" };
  const accounts: Record<string, { claims: Record<string, unknown> }> = { plain: { claims: { tenant: "default" } } };
  for (const { role, claims } of ROLES) {
    for (const value of claims) {
      for (const claim of ["pact_role", "lattice_role"]) {
        wanted[`${claim}-${value}`] = role;
        accounts[`${claim}-${value}`] = { claims: { tenant: "default", [claim]: value } };
      }
    }
  }
  const provider = await TestProvider.start({ flavour: "dex", accounts });
  open.push(() => provider.stop());
  expect(await rolesOf(await startAsWritten(provider), Object.keys(accounts))).toEqual(wanted);
}, 60_000);
