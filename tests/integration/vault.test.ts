/**
 * Shows the reading of secrets from Vault over its HTTP API: login, renewal, every way of
 * being refused said with what to do; and a server process that starts with them, takes
 * changed ones at SIGHUP, and does not start on what it cannot read.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { LatticeError, nextStep } from "../../src/core/domain/errors.ts";
import type { VaultLogin } from "../../src/io/vault/vault-client.ts";
import { VaultClient } from "../../src/io/vault/vault-client.ts";
import { until } from "../e2e/cluster.ts";
import { FakeClock } from "../fixtures/fake-clock.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { OpensslAuthority } from "../fixtures/openssl-authority.ts";
import { keepingLogger, type LogLine } from "../fixtures/peer-networks.ts";
import { TempDir } from "../fixtures/temp-dir.ts";
import { aToken } from "../fixtures/tokens.ts";
import { putSecret, startVault, type VaultServer } from "../fixtures/vault-server.ts";

const PREFIX = "secret/data/lattice";
const PATIENCE_MS = 60_000;
const temp = new TempDir();
let vault: VaultServer;

beforeAll(() => {
  vault = startVault();
});
beforeEach(() => {
  vault.isSealed = false;
  vault.loginsLeft = 1_000;
  vault.asked.length = 0;
  putSecret(vault, `${PREFIX}/api`, { oidc_hmac_secret: "from vault" });
});
afterAll(() => {
  vault.stop();
  temp[Symbol.dispose]();
});

const lines: LogLine[] = [];

function clientOf(given: Partial<VaultLogin> = {}, clock = new FakeClock()): VaultClient {
  const login = {
    address: vault.url,
    roleId: vault.roleId,
    secretId: vault.secretId,
    prefix: PREFIX,
    timeoutMs: 2_000,
  };
  return new VaultClient({ ...login, ...given }, { clock, log: keepingLogger(lines) });
}

async function refusalOf(client: VaultClient): Promise<string> {
  const error = await client.read("api").catch((thrown: unknown) => thrown);
  if (!(error instanceof LatticeError)) throw new Error("it was not refused");
  return `${error.message}: ${nextStep(error.fault)}`;
}

test("a section is read after one login, and a second section with the same token", async () => {
  const client = clientOf();
  expect(await client.read("api")).toEqual({ oidc_hmac_secret: "from vault" });
  vault.mayRead.add(`${PREFIX}/backup`);
  expect(await client.read("backup")).toBeUndefined();
  expect(vault.asked).toEqual(["POST auth/approle/login", `GET ${PREFIX}/api`, `GET ${PREFIX}/backup`]);
});

test("the token is renewed at two thirds of its life, so that a secret id good for one login is enough", async () => {
  const clock = new FakeClock();
  const client = clientOf({}, clock);
  vault.loginsLeft = 1;
  await client.read("api");
  for (let i = 0; i < 3; i++) {
    await clock.pass(2_400_000);
    await until("the token is renewed", () => vault.asked.length === 3 + i);
    // The answer is taken in after it was given.
    await Bun.sleep(20);
  }
  expect(await client.read("api")).toEqual({ oidc_hmac_secret: "from vault" });
  expect(vault.asked.filter((one) => one.includes("login"))).toHaveLength(1);
});

test("a token that was withdrawn makes it log in again", async () => {
  const client = clientOf();
  await client.read("api");
  vault.revokeAll();
  expect(await client.read("api")).toEqual({ oidc_hmac_secret: "from vault" });
});

test("a refusal says what to do: a wrong secret id, a path that is denied, a sealed Vault, none at all", async () => {
  expect(await refusalOf(clientOf({ secretId: "guessed" }))).toMatch(/refuses the AppRole login \(400\): .*fresh one/);
  vault.mayRead.delete(`${PREFIX}/api`);
  expect(await refusalOf(clientOf())).toMatch(/denies secret\/data\/lattice\/api.*\(403\): .*capabilities/);
  vault.isSealed = true;
  expect(await refusalOf(clientOf())).toMatch(/is sealed.*\(503\): unseal it/);
  expect(await refusalOf(clientOf({ address: "http://127.0.0.1:1" }))).toMatch(/cannot be asked: .*vault\.address/);
});

test("a standby sends to the active server, once, and never from TLS to clear text", async () => {
  const standby = startVault(vault.url);
  expect(await clientOf({ address: standby.url }).read("api")).toEqual({ oidc_hmac_secret: "from vault" });
  standby.stop();
  using site = new OpensslAuthority();
  const { cert, key, ca } = site.issue("vault", { names: "IP:127.0.0.1" });
  const [certText, keyText, caText] = [cert, key, ca].map((path) => readFileSync(path, "utf8"));
  const secure = startVault(vault.url, { cert: certText ?? "", key: keyText ?? "" });
  expect(await refusalOf(clientOf({ address: secure.url, ca: caText ?? "" }))).toContain("in clear text");
  expect(await refusalOf(clientOf({ address: secure.url }))).toContain("vault.tls_ca_path");
  secure.stop();
});

/** A Vault that answers as it likes. */
function strange(answer: () => Response) {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  return { address: server.url.origin, [Symbol.dispose]: () => void server.stop(true) };
}

test("an answer without an end is not read to its end, and one that stops in the middle is told from a wrong one", async () => {
  let given = 0;
  const piece = new Uint8Array(65_536).fill(32);
  const flood = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => {
          given += piece.length;
          controller.enqueue(piece);
        },
      }),
    );
  using endless = strange(flood);
  expect(await refusalOf(clientOf(endless))).toMatch(/answers with more than \d+ bytes: check that vault.address/);
  expect(given).toBeLessThan(64 * 1024 * 1024);
  const begun = () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(piece) }));
  using halted = strange(begun);
  expect(await refusalOf(clientOf({ ...halted, timeoutMs: 200 }))).toContain("no answer within 200 ms");
});

test.each(["file:///etc/hostname", "http://[", "data:application/json,{}"])(
  "an answer that sends to %s is refused",
  async (location) => {
    using elsewhere = strange(() => new Response(null, { status: 307, headers: { location } }));
    expect(await refusalOf(clientOf(elsewhere))).toContain("none of HTTP: correct Vault's api_addr");
  },
);

/** Starts a server of this configuration; its log is in `errors`. */
function serve(text: string, env: Readonly<Record<string, string>>) {
  const file = temp.join("server.yaml");
  writeFileSync(file, text);
  const server = Bun.spawn([process.execPath, "src/bin/lattice-server.ts", "--config", file, "--bootstrap"], {
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, ...env },
    stdout: "ignore",
    stderr: Bun.file(temp.join("log")),
  });
  return { server, log: () => readFileSync(temp.join("log"), "utf8") };
}

const configOf = (ports: readonly number[], roleId: string): string =>
  [
    `quorum: {data_dir: "${temp.join("raft")}"}`,
    `api: {rest_address: "127.0.0.1:${ports[0]}", grpc_address: "127.0.0.1:${ports[1]}"}`,
    "storage: {}",
    "telemetry: {}",
    `vault: {address: "${vault.url}", role_id: "${roleId}"}`,
    "",
  ].join("\n");

const SECRETS = ["first-secret-of-the-cluster-0123456789", "second-secret-of-the-cluster-012345678"] as const;

test(
  "a server starts with the secrets of Vault, and SIGHUP brings changed ones into use at once",
  async () => {
    for (const section of ["backup", "storage", "accounting", "quorum", "identity"])
      vault.mayRead.add(`${PREFIX}/${section}`);
    putSecret(vault, `${PREFIX}/api`, { oidc_hmac_secret: SECRETS[0] });
    const ports = await freePorts(2);
    const { server, log } = serve(configOf(ports, vault.roleId), { VAULT_SECRET_ID: vault.secretId });
    const asWith = async (secret: string) => {
      const headers = { authorization: `Bearer ${await aToken("ann", { secret })}` };
      const answer = fetch(`http://127.0.0.1:${ports[0]}/api/v1/auth/whoami`, { headers });
      return answer.then(({ status }) => status).catch(() => 0);
    };
    await until("the server lets in", async () => (await asWith(SECRETS[0])) === 200);
    expect(await asWith(SECRETS[1])).toBe(401);
    putSecret(vault, `${PREFIX}/api`, { oidc_hmac_secret: SECRETS[1] });
    server.kill("SIGHUP");
    await until("the changed secret lets in", async () => (await asWith(SECRETS[1])) === 200);
    expect(await asWith(SECRETS[0])).toBe(401);
    vault.isSealed = true;
    server.kill("SIGHUP");
    await until("the server says that Vault is sealed", async () => log().includes("is sealed"));
    expect(await asWith(SECRETS[1])).toBe(200);
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    for (const secret of [...SECRETS, vault.secretId]) expect(log()).not.toContain(secret);
  },
  PATIENCE_MS,
);

test(
  "a server does not start on secrets that it cannot read, and says everything that is wrong at once",
  async () => {
    const ports = await freePorts(2);
    vault.mayRead.clear();
    const { server, log } = serve(`${configOf(ports, vault.roleId)}scheduling: {cycle_interval_seconds: 0}\n`, {
      VAULT_SECRET_ID: vault.secretId,
    });
    expect(await server.exited).toBe(2);
    expect(log()).toContain("scheduling.cycle_interval_seconds: must be at least 1");
    expect(log()).toContain("Vault denies secret/data/lattice/api to the role (403)");
    expect(log()).toContain("Vault denies secret/data/lattice/backup to the role (403)");
    // A mistake ends the server for good; a Vault that is away lets the service manager try again.
    vault.isSealed = true;
    const waiting = serve(configOf(ports, vault.roleId), { VAULT_SECRET_ID: vault.secretId });
    expect(await waiting.server.exited).toBe(8);
    expect(waiting.log()).toContain("is sealed");
  },
  PATIENCE_MS,
);
