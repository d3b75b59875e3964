/**
 * Shows that no secret is printed: built servers, agents and the command line run at debug level
 * with a secret planted in every place that takes one, through work, refusals, a rotation and
 * failures; then everything that any of them wrote is searched for each secret, as it is and
 * as it may be encoded: logs, output, errors, `config check`, metrics, every answer of the
 * API, and what is kept on disk.
 */
import { afterAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentProcess } from "../fixtures/agent-process.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { CliUser } from "../fixtures/oidc-cli.ts";
import { SERVICE, TestProvider } from "../fixtures/oidc-provider.ts";
import { OpensslAuthority } from "../fixtures/openssl-authority.ts";
import { TempDir } from "../fixtures/temp-dir.ts";
import { aToken } from "../fixtures/tokens.ts";
import { putSecret, startVault } from "../fixtures/vault-server.ts";
import { until } from "./cluster.ts";

const HOST = "127.0.0.1";
const DIST = process.env.LATTICE_TEST_DIST ?? join(import.meta.dir, "../../dist");
const SERVER_PROGRAM = join(DIST, "lattice-server");
const AGENT_PROGRAM = join(DIST, "lattice-agent");
const CLI = [join(DIST, "lattice")];
const PREFIX = "secret/data/lattice";
const PATIENCE_MS = 120_000;
const temp = new TempDir();
const site = new OpensslAuthority();
const vault = startVault();
/** Every secret, by what it is. */
const planted = new Map<string, string>();
/** Everything that was printed or answered, by where. */
const seen = new Map<string, string>();

const plant = (name: string, secret: string): string => {
  planted.set(name, secret);
  return secret;
};

afterAll(() => {
  vault.stop();
  for (const one of [site, temp]) one[Symbol.dispose]();
});

const HMAC = plant("HMAC secret", "planted-hmac-secret-0123456789-abcdef");
const S3_KEY = plant("S3 access key", "PLANTEDS3ACCESSKEY00");
const S3_SECRET = plant("S3 secret key", "planted+s3/secret=key~0123456789");
const VAST = plant("VAST password", "planted-vast-password-0123456789");
const WALDUR = plant("Waldur token", "planted-waldur-token-0123456789");
plant("Vault secret id", vault.secretId);
plant("client secret", SERVICE.secret);
const CA_KEY = readFileSync(`${site.dir}/ca.key`, "utf8");
plant("key of the authority", CA_KEY.split("\n")[1] ?? "");

interface Ports {
  readonly rest: number;
  readonly grpc: number;
  readonly joins: number;
}

const baseOf = ({ rest, grpc }: Ports, name: string) => ({
  quorum: { data_dir: temp.join(name, "raft") },
  api: { rest_address: `${HOST}:${rest}`, grpc_address: `${HOST}:${grpc}` },
  // A bucket that nobody serves: the keys go into requests that fail.
  backup: { location: "s3://planted/backups", s3_endpoint: `http://${HOST}:1` },
  storage: {},
  telemetry: {},
  log: { level: "debug" },
});

function serve(name: string, config: object, env: Readonly<Record<string, string>>) {
  const file = temp.join(`${name}.yaml`);
  writeFileSync(file, JSON.stringify(config));
  const start = (...words: readonly string[]) =>
    Bun.spawn([SERVER_PROGRAM, ...words, "--config", file], {
      env: { ...process.env, ...env },
      stdout: "pipe",
      stderr: Bun.file(temp.join(`${name}-${words.length}.log`)),
    });
  const log = () => readFileSync(temp.join(`${name}-1.log`), "utf8");
  return { start, log, file };
}

async function printed(run: ReturnType<ReturnType<typeof serve>["start"]>): Promise<string> {
  return new Response(run.stdout).text();
}

/** Asks every route a few ways, so that answers and refusals are among what is searched. */
async function askAround(port: number, tokens: readonly string[]): Promise<void> {
  const paths = [
    "/metrics",
    "/openapi/json",
    ...[
      "nodes",
      "allocations",
      "tenants",
      "auth/whoami",
      "auth/discovery",
      "raft/status",
      "audit",
      "admin/backup/verify",
    ].map((path) => `/api/v1/${path}`),
  ];
  for (const path of paths) {
    for (const [i, token] of ["", "garbage", ...tokens].entries()) {
      const headers = token === "" ? {} : { authorization: `Bearer ${token}` };
      const answer = await fetch(`http://${HOST}:${port}${path}`, { headers });
      seen.set(`${path} as ${i}`, JSON.stringify([...answer.headers]) + (await answer.text()));
    }
  }
}

test(
  "no secret is in any log, output, error, answer or file of a run at debug level",
  async () => {
    const [rest = 0, grpc = 0, joins = 0, rest2 = 0, grpc2 = 0, rest3 = 0, grpc3 = 0] = await freePorts(7);
    for (const section of ["quorum", "identity", "storage", "accounting"]) vault.mayRead.add(`${PREFIX}/${section}`);
    putSecret(vault, `${PREFIX}/api`, { oidc_hmac_secret: HMAC });
    putSecret(vault, `${PREFIX}/backup`, { s3_access_key_id: S3_KEY, s3_secret_access_key: S3_SECRET });
    putSecret(vault, `${PREFIX}/storage`, { vast_password: VAST });
    const withVault = { ...baseOf({ rest, grpc, joins }, "a"), vault: { address: vault.url, role_id: vault.roleId } };
    const env = { VAULT_SECRET_ID: vault.secretId, LATTICE_ACCOUNTING_WALDUR_TOKEN: WALDUR };
    const a = serve("a", withVault, env);
    const server = a.start("--bootstrap");
    const admin = plant("token of a person", await aToken("ann", { secret: HMAC, claims: { scope: "admin" } }));
    const expired = plant("expired token", await aToken("ann", { secret: HMAC, expiresAt: 1_700_000_000 }));
    const node = plant("agent token", await aToken("agent-n1", { secret: HMAC, claims: { lattice_role: "agent" } }));
    await until("the server listens", () => a.log().includes("server started"));

    // An agent by its token, work, and the command line, let in and refused.
    const agent = AgentProcess.start({
      folder: temp.join("n1"),
      flags: [
        "--node-id=n1",
        `--quorum-endpoint=http://${HOST}:${grpc}`,
        "--allow-root",
        `--default-user=${process.env.USER || "root"}`,
      ],
      env: { LATTICE_AGENT_TOKEN: node },
      program: AGENT_PROGRAM,
    });
    await until("the agent is connected", () => agent.log().includes('"message":"connected"'));
    const person = new CliUser(`http://${HOST}:${rest}`, CLI);
    const commands = [
      ["submit", "--", "env"],
      ["status"],
      ["nodes", "-o", "json"],
      ["whoami"],
      ["admin", "backup", "create"],
      ["admin", "join-token", "n9"],
      ["nonsense"],
    ];
    for (const [name, token] of [
      ["good", admin],
      ["expired", expired],
    ] as const) {
      for (const words of commands) {
        const ended = await person.start(words, { LATTICE_TOKEN: token, LATTICE_USER: "" }).ended;
        seen.set(`${name}: lattice ${words.join(" ")}`, ended.out + ended.err);
      }
    }
    await askAround(rest, [admin, expired, node]);
    seen.set("config check", await printed(a.start("config", "check")));
    expect(seen.get("config check")).toContain("api.oidc_hmac_secret: Vault secret/data/lattice/api#oidc_hmac_secret");

    // The secret changes, and Vault goes away.
    const changed = plant("changed HMAC secret", "planted-second-hmac-secret-0123456789");
    putSecret(vault, `${PREFIX}/api`, { oidc_hmac_secret: changed });
    server.kill("SIGHUP");
    await until("the secret is replaced", () => a.log().includes("the shared secret of tokens is replaced"));
    vault.isSealed = true;
    server.kill("SIGHUP");
    await until("Vault is sealed", () => a.log().includes("is sealed"));
    seen.set("config check, sealed", await printed(a.start("config", "check")));
    vault.isSealed = false;

    // Secrets of the wrong kind and in the wrong place, in a configuration that is refused.
    const wrong = {
      ...withVault,
      api: { oidc_hmac_secret: [HMAC] },
      storage: { vast_password: { of: VAST } },
      waldur_token: WALDUR,
    };
    const refused = serve("wrong", wrong, { ...env, VAULT_SECRET_ID: `${vault.secretId}x` }).start("--bootstrap");
    expect(await refused.exited).toBe(2);

    // An authority whose key is a secret, and a node that joins with a token.
    const { cert, key, ca } = site.issue("server", { names: `IP:${HOST}` });
    const ports = { rest: rest2, grpc: grpc2, joins };
    const b = serve(
      "b",
      {
        ...baseOf(ports, "b"),
        api: { ...baseOf(ports, "b").api, tls_cert: cert, tls_key: key, tls_ca: ca },
        identity: { ca_cert: ca, signing_address: `${HOST}:${joins}` },
      },
      { LATTICE_IDENTITY_CA_KEY: CA_KEY },
    );
    const second = b.start("--bootstrap");
    await until("nodes may join", () => b.log().includes("nodes join here"));
    const ann = site.issue("ann");
    const asAnn = ["--ca", ca, "--cert", ann.cert, "--key", ann.key];
    const made = await new CliUser(`https://${HOST}:${rest2}`, CLI).start([
      ...asAnn,
      "admin",
      "join-token",
      "n2",
      "--address",
      HOST,
    ]).ended;
    const joinToken = plant("join token", made.out.trim());
    expect(joinToken).toContain(".");
    const joining = AgentProcess.start({
      folder: temp.join("n2"),
      flags: [
        "--node-id=n2",
        `--quorum-endpoint=https://${HOST}:${grpc2}`,
        `--signing-endpoint=https://${HOST}:${joins}`,
        `--bootstrap-ca=${ca}`,
        "--spire-socket=/nowhere",
      ],
      env: { LATTICE_JOIN_TOKEN: joinToken },
      program: AGENT_PROGRAM,
    });
    await until("the node has joined", () => joining.log().includes('"message":"connected"'));
    plant("key of a node", readFileSync(temp.join("n2", "state", "identity", "node.key"), "utf8").split("\n")[1] ?? "");

    // A service that logs in by its secret.
    const provider = await TestProvider.start({ flavour: "keycloak", accounts: {} });
    const c = serve(
      "c",
      {
        ...baseOf({ rest: rest3, grpc: grpc3, joins }, "c"),
        api: {
          ...baseOf({ rest: rest3, grpc: grpc3, joins }, "c").api,
          oidc_issuer: provider.issuer,
          oidc_client_id: "lattice",
        },
      },
      {},
    );
    const third = c.start("--bootstrap");
    await until("the third listens", () => c.log().includes("server started"));
    const service = new CliUser(`http://${HOST}:${rest3}`, CLI);
    const asService = { LATTICE_CLIENT_ID: SERVICE.id, LATTICE_CLIENT_SECRET: SERVICE.secret };
    for (const words of [["login"], ["whoami"], ["nodes"], ["logout"], ["login", "--flow", "device"]]) {
      const run = service.start(words, asService);
      const ended = await Promise.race([
        run.ended,
        Bun.sleep(4_000)
          .then(() => run.interrupt())
          .then(() => run.ended),
      ]);
      seen.set(`service: lattice ${words.join(" ")}`, ended.out + ended.err);
    }

    for (const one of [agent, joining]) await one.stop();
    for (const one of [server, second, third]) one.kill("SIGTERM");
    await Promise.all([server.exited, second.exited, third.exited]);
    provider.stop();

    collectFiles(temp.path);
    expect([...seen.values()].join().length).toBeGreaterThan(50_000);
    expect(leaks()).toEqual([]);
  },
  PATIENCE_MS,
);

/** Where secrets are meant to be: the configurations that this test wrote, and the key of a node, for its owner alone. */
const KEEPS = /(\.yaml|identity\/node\.key)$/;

/** Everything on disk: logs, the log and state of the servers, and what agents keep. */
function collectFiles(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, name);
    const about = statSync(path, { throwIfNoEntry: false });
    if (about?.isFile() && !KEEPS.test(name)) seen.set(name, readFileSync(path, "latin1"));
  }
}

function leaks(texts: ReadonlyMap<string, string> = seen): string[] {
  const found: string[] = [];
  for (const [name, secret] of planted) {
    expect(secret.length).toBeGreaterThan(15);
    const forms = [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString("base64").slice(0, -4),
      Buffer.from(secret).toString("hex"),
    ];
    for (const [where, text] of texts) {
      if (forms.some((form) => text.includes(form))) found.push(`${name} in ${where}`);
    }
  }
  return found;
}

test("the search notices a secret, as it is and encoded", () => {
  const texts = new Map([
    ["plain", `key=${S3_SECRET}.`],
    ["URL", `?key=${encodeURIComponent(S3_SECRET)}`],
    ["base64", Buffer.from(S3_SECRET).toString("base64")],
    ["nothing", "key=(set, not shown)"],
  ]);
  expect(leaks(texts)).toEqual(["plain", "URL", "base64"].map((where) => `S3 secret key in ${where}`));
});
