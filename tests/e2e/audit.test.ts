/**
 * Shows, with the built binaries, the audit log as an auditor meets it and sensitive claims as
 * a claiming user does: roles by token, the wipe by a program of the site, tampering by hand.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { aToken, SECRET } from "../fixtures/tokens.ts";
import { Cluster, until } from "./cluster.ts";

/** The account that runs the tests: the agent can run work as this one. */
const ME = Bun.spawnSync(["id", "-un"]).stdout.toString().trim();

let cluster: Cluster;
const tokens: Record<string, string> = {};
const wipe = () => join(cluster.dir, "wipe.sh");

beforeAll(async () => {
  for (const [user, scope] of [
    ["sys", "admin"],
    [ME, "sensitive:claim"],
    ["bob", ""],
    ["tina", "tenant:admin"],
    ["n1", "operator"],
  ] as const) {
    tokens[user] = await aToken(user, { claims: { scope, tenant: "default" } });
  }
  const env = { LATTICE_OIDC_HMAC_SECRET: SECRET, LATTICE_AGENT_TOKEN: String(tokens.n1) };
  cluster = await Cluster.start({ env, isQuick: true });
  script("exit 0");
  cluster.launchAgent("n1", { flags: ["--wipe-command", wipe()] });
  await nodeIs("Ready");
}, 60_000);
afterAll(() => cluster?.stop());

function script(line: string): void {
  writeFileSync(wipe(), `#!/bin/sh\necho "$1" >>${cluster.dir}/wiped\n${line}\n`);
  chmodSync(wipe(), 0o755);
}

const lattice = (user: string, ...argv: string[]) => cluster.cliAs(String(tokens[user]), ...argv);

async function nodeIs(...words: string[]): Promise<void> {
  await until(`node n1 shows ${words.join(" ")}`, async () => {
    const { stdout } = await lattice("sys", "nodes");
    return words.every((word) => stdout.includes(word));
  });
}

const actions = async (...flags: string[]) => {
  const { stdout } = await lattice("sys", "audit", "query", "-o", "json", ...flags);
  const entries: { action: string; user_id: string; outcome: string; details: string }[] = JSON.parse(stdout);
  return entries.map((e) => `${e.user_id} ${e.action} ${e.outcome}`);
};

test("a node is claimed, runs its holder's work only, is wiped when it is released, and quarantined when that fails", async () => {
  expect((await lattice("bob", "node", "claim", "n1")).stderr).toContain("role User may not do node.claim");
  expect((await lattice(ME, "node", "claim", "n1")).stdout).toContain("Claimed node: n1");
  await nodeIs("Claimed", `claimed by ${ME}`);
  const theirs = await lattice("bob", "submit", "--wrap", "true", "-q");
  const own = await lattice(ME, "submit", "--wrap", "true", "--sensitive", "-q");
  await until("the holder's work has ended", async () => {
    const { stdout } = await lattice(ME, "status", own.stdout.trim(), "-o", "json");
    return stdout.includes('"completed"');
  });
  expect((await lattice("bob", "status", theirs.stdout.trim(), "-o", "json")).stdout).toContain('"pending"');
  expect((await lattice("bob", "node", "release", "n1")).code).not.toBe(0);
  expect(existsSync(join(cluster.dir, "wiped"))).toBe(false);
  script("echo the disk is busy >&2; exit 3");
  await lattice(ME, "node", "release", "n1");
  await nodeIs("Down", "quarantined");
  expect((await lattice("sys", "nodes", "n1")).stdout).toContain("ended with exit code 3: the disk is busy");
  script("exit 0");
  await lattice("sys", "node", "enable", "n1");
  await nodeIs("Ready");
  expect(readFileSync(join(cluster.dir, "wiped"), "utf8")).toBe("n1\nn1\n");
  expect(await actions("--node", "n1")).toEqual([
    "system lattice.wipe.completed done",
    "sys lattice.node.enable done",
    "system lattice.wipe.failed done",
    `${ME} lattice.node.release done`,
    "bob lattice.node.release denied",
    `${ME} lattice.node.claim done`,
    "bob lattice.node.claim denied",
  ]);
}, 60_000);

test("denials and logins are told with where they came from, and a tenant's administrator sees the tenant's", async () => {
  await lattice("bob", "admin", "tenant", "create", "--name", "mine");
  await until("the denial is told", async () => (await actions("--user", "bob")).length >= 2);
  const { stdout } = await lattice("sys", "audit", "query", "--user", "bob", "-o", "json");
  const [entry] = JSON.parse(stdout);
  expect(JSON.parse(entry.details)).toMatchObject({
    action: "lattice.tenant.create",
    from: "127.0.0.1",
    denied: expect.stringContaining("FORBIDDEN"),
  });
  const secret = (await lattice(ME, "submit", "--wrap", "true", "--sensitive", "-q")).stdout.trim();
  expect(secret).not.toBe("");
  expect((await lattice("bob", "logs", secret)).stderr).toContain("belongs to");
  await lattice("bob", "node", "drain", "n1");
  await until("what was denied is told", async () => {
    const told = await lattice("sys", "audit", "query", "--user", "bob", "-o", "json");
    const on = JSON.parse(told.stdout).map((e: { action: string; details: string }) => [e.action, e.details]);
    const has = (action: string, text: string) => on.some(([a, d]: string[]) => a === action && d?.includes(text));
    return has("lattice.allocation.logs", '"tenant":"default"') && has("lattice.node.drain", '"node":"n1"');
  });
  expect(await actions("--action", "lattice.auth.login")).toContain(`${ME} lattice.auth.login done`);
  expect((await lattice("tina", "audit", "query")).code).toBe(0);
  expect((await lattice("tina", "audit", "query", "--tenant", "law")).code).not.toBe(0);
  expect((await lattice(ME, "audit", "query")).code).not.toBe(0);
}, 30_000);

test("every command of the guide works as it is written", async () => {
  const guide = readFileSync(join(import.meta.dir, "../../docs/operations/audit.md"), "utf8");
  const commands = guide.split("\n").filter((line) => line.startsWith("lattice audit "));
  expect(commands.length).toBeGreaterThan(7);
  for (const line of commands) {
    const words = line.replace(/ >.*/, "").split(" ").slice(1);
    const { code, stderr } = await lattice("sys", ...words);
    expect(`${line}: ${code} ${stderr}`).toMatch(/: 0 (no (entries|archives)\n)?$/);
  }
}, 30_000);

test("the chain verifies across archives, and a byte that is flipped on disk or in an archive is named", async () => {
  expect((await lattice("sys", "audit", "verify")).stdout).toMatch(/^Whole: \d+ entries, 0 of them archived/);
  expect((await lattice("sys", "admin", "audit", "archive")).stdout).toContain("audit-1-1-");
  await lattice("sys", "node", "drain", "n1");
  const whole = await lattice("sys", "audit", "verify");
  expect([whole.code, whole.stdout.startsWith("Whole")]).toEqual([0, true]);
  const folder = join(cluster.dir, "audit");
  const file = join(folder, String(readdirSync(folder)[0]));
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(`"user":"${ME}"`, '"user":"eve"'));
  const damaged = await lattice("sys", "audit", "verify");
  expect(damaged.code).not.toBe(0);
  expect(damaged.stdout).toContain("it was changed: its hash does not fit");
  writeFileSync(file, text);
  expect((await lattice("sys", "audit", "verify")).code).toBe(0);
  expect(statSync(join(cluster.dir, "server/audit.key")).mode & 0o777).toBe(0o600);
  expect(await cluster.log("server")).toContain("there was no audit signing key: a fresh one was made");
}, 30_000);

test("what a server keeps is not for others on its machine, in whichever folder it lies", () => {
  const folders = ["server", "audit"].map((name) => join(cluster.dir, name));
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  expect(files.filter((path) => statSync(path).mode & 0o007)).toEqual([]);
  expect(files.length).toBeGreaterThan(4);
});

test("after a restart the chain still verifies, a missing archive is named, and the figures tell how long the chain is", async () => {
  await cluster.stopServer();
  await cluster.startServer();
  const { stdout } = await lattice("sys", "audit", "verify");
  expect(stdout.startsWith("Whole")).toBe(true);
  rmSync(join(cluster.dir, "audit"), { recursive: true });
  const gone = await lattice("sys", "audit", "verify");
  expect(gone.stdout).toContain("DAMAGED");
  expect(gone.stdout).toContain("archive audit-1-1-");
  const metrics = await (await fetch(`${cluster.url}/metrics`)).text();
  expect(metrics).toMatch(/^lattice_audit_entries \d+$/m);
}, 30_000);
