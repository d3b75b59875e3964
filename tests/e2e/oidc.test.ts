/**
 * Shows that a site that follows docs/operations/login.md, once with Keycloak and once with
 * Dex, gets what it says: the built server started with two keys, an agent with a token of
 * its own, a person who logs in with the browser, submits, reads the output and logs out.
 */
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { playBrowser } from "../fixtures/oidc-browser.ts";
import { CliUser } from "../fixtures/oidc-cli.ts";
import { serviceToken } from "../fixtures/oidc-login.ts";
import { CLIENT_ID, type Flavour, SERVICE, TestProvider } from "../fixtures/oidc-provider.ts";
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
