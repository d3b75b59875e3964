/**
 * Shows what the loader makes of a file, the environment and flags: later sources win,
 * everything wrong is said at once with its place, and secrets do not print. Files are
 * texts in a table; nothing is read from disk.
 */
import { expect, test } from "bun:test";
import { hostname } from "node:os";
import { inspect } from "node:util";
import { present } from "../../../src/base/assert.ts";
import { millis } from "../../../src/base/brand.ts";
import { renderConfigCheck } from "../../../src/config/check.ts";
import { type ConfigReading, DEFAULT_CONFIG_PATH, readConfig } from "../../../src/config/load.ts";
import type { ConfigFiles } from "../../../src/config/reachable.ts";
import { readVaultSecrets } from "../../../src/config/sources/vault-secrets.ts";
import { LatticeError } from "../../../src/core/domain/errors.ts";
import { DEFAULT_POLICY } from "../../../src/core/scheduler/policy.ts";
import { WEIGHT_PROFILES } from "../../../src/core/scheduler/score/weight-profiles.ts";

const BASE = "quorum: {}\napi: {}\nstorage: {}\ntelemetry: {}\n";

function filesOf(texts: Readonly<Record<string, string>>): ConfigFiles {
  return {
    readText: (path) => texts[path] ?? "",
    obstacle: (path, reach) => (reach === "folder" || path in texts ? undefined : `${path} does not exist`),
  };
}

const read = (text: string, env: Readonly<Record<string, string>> = {}, more: Readonly<Record<string, string>> = {}) =>
  readConfig({ path: "c.yaml", env, files: filesOf({ "c.yaml": text, ...more }) });

const configOf = (reading: ConfigReading) => {
  expect(reading.problems).toEqual([]);
  return reading.config;
};

test("no file anywhere gives the defaults of an open server on loopback", () => {
  const reading = readConfig({ env: {}, files: filesOf({}) });
  const config = configOf(reading);
  expect(reading.file).toBeUndefined();
  expect(config?.api.auth).toEqual({ kind: "open" });
  expect(config?.api.restAddress).toEqual({ host: "127.0.0.1", port: 8080 });
  expect(config?.api.grpcAddress).toEqual({ host: "127.0.0.1", port: 50_051 });
  expect(Number(config?.nodeAgent.heartbeatTimeoutMs)).toBe(30_000);
  expect(reading.warnings.join()).toContain("no authentication is configured");
});

test("a file that --config names must exist", () => {
  const reading = readConfig({ path: "gone.yaml", env: {}, files: filesOf({}) });
  expect(reading.problems).toEqual(["the configuration file gone.yaml does not exist"]);
});

test("a file at the default path is read without being named", () => {
  const files = filesOf({ [DEFAULT_CONFIG_PATH]: BASE.replace("quorum: {}", "quorum: {node_id: 7}") });
  expect(configOf(readConfig({ env: {}, files }))?.quorum.nodeId).toBe(7);
});

test("an unknown key names file, line and nearest key", () => {
  const text = "quorum:\n  node_id: 1\n  dat_dir: /x\napi: {}\nstorage: {}\ntelemetry: {}\nschedulling:\n  depth: 1\n";
  expect(read(text).problems).toEqual([
    "c.yaml:3: unknown key quorum.dat_dir; nearest: quorum.data_dir",
    "c.yaml:7: unknown section or key schedulling; nearest: scheduling",
  ]);
});

test("every problem of a file comes at once, each with its line", () => {
  const text = [
    "quorum:",
    "  node_id: one",
    "  peers:",
    "    - id: 2",
    "      address: nowhere",
    "api:",
    "  rest_address: 0.0.0.0:99999",
    "  tls_cert: /none.pem",
    "  oidc_client_id:",
    "telemetry:",
    "  default_mode: prd",
    "scheduling:",
    "  cycle_interval_seconds: 0",
  ].join("\n");
  expect(read(text).problems.toSorted()).toEqual(
    [
      'c.yaml: the section storage is required; "storage: {}" takes the defaults',
      'c.yaml:2: quorum.node_id: must be a number, not "one"',
      'c.yaml:5: quorum.peers.0.address: must be HOST:PORT, with a port from 0 to 65535, not "nowhere"',
      'c.yaml:7: api.rest_address: must be HOST:PORT, with a port from 0 to 65535, not "0.0.0.0:99999"',
      "c.yaml:8: api.tls_cert: /none.pem does not exist",
      "c.yaml:9: api.oidc_client_id has no value; give one or remove the line",
      'c.yaml:11: telemetry.default_mode: must be one of prod, debug, audit (nearest: prod), not "prd"',
      "c.yaml:13: scheduling.cycle_interval_seconds: must be at least 1, not 0",
    ].toSorted(),
  );
});

test("a file that is not YAML, or not a table of sections, is refused with its line", () => {
  expect(read("quorum:\n  a: [1\n").problems[0]).toStartWith("c.yaml:");
  expect(read("quorum: {}\nquorum: {}\n").problems[0]).toStartWith("c.yaml:2:");
  expect(read("- 1\n").problems[0]).toContain("must hold sections");
});

test("a section without keys under it takes the defaults", () => {
  expect(configOf(read("quorum:\napi:\nstorage:\ntelemetry:\n"))?.quorum.nodeId).toBe(1);
});

test("the environment wins over the file and flags win over both", () => {
  const file = BASE.replace("quorum: {}", "quorum: {node_id: 1, data_dir: /a}");
  const env = { LATTICE_QUORUM_NODE_ID: "2", LATTICE_QUORUM_DATA_DIR: "/b", LATTICE_COMPAT_SET_SLURM_ENV: "false" };
  const overrides = [{ path: ["quorum", "data_dir"], value: "/c", source: "--data-dir" }];
  const config = configOf(readConfig({ path: "c.yaml", env, overrides, files: filesOf({ "c.yaml": file }) }));
  expect(config?.quorum.nodeId).toBe(2);
  expect(config?.quorum.dataDir).toBe("/c");
  expect(config?.compat.isSlurmEnvSet).toBe(false);
});

test("a wrong value from the environment or a flag is said with the name of its source", () => {
  const overrides = [{ path: ["log", "level"], value: "loud", source: "--log-level" }];
  const env = { LATTICE_QUORUM_NODE_ID: "zero", LATTICE_QUORUM_NOD_ID: "1" };
  const reading = readConfig({ path: "c.yaml", env, overrides, files: filesOf({ "c.yaml": BASE }) });
  expect(reading.problems).toEqual([
    'LATTICE_QUORUM_NODE_ID: quorum.node_id: must be a number, not "zero"',
    '--log-level: log.level: must be one of debug, info, warn, error, not "loud"',
  ]);
  expect(reading.warnings).toEqual([
    "the environment variable LATTICE_QUORUM_NOD_ID sets no key; nearest: LATTICE_QUORUM_NODE_ID",
  ]);
});

test("lists and tables come from the environment as YAML", () => {
  const reading = read(BASE, { LATTICE_COMPAT_PARTITION_MAPPING: "{gpu: ml}" });
  expect(reading.values?.compat.partition_mapping).toEqual({ gpu: "ml" });
});

test("the secret comes from its variable, else its file, else the configuration", () => {
  const text = BASE.replace("api: {}", "api: {oidc_hmac_secret: in-config}");
  const secretOf = (env: Readonly<Record<string, string>>) => {
    const auth = configOf(read(text, env, { "/s": "in-file\n" }))?.api.auth;
    return auth?.kind === "hmac" ? auth.secret.reveal() : undefined;
  };
  expect(secretOf({})).toBe("in-config");
  expect(secretOf({ LATTICE_OIDC_HMAC_SECRET_FILE: "/s" })).toBe("in-file");
  expect(secretOf({ LATTICE_OIDC_HMAC_SECRET: "in-env", LATTICE_OIDC_HMAC_SECRET_FILE: "/s" })).toBe("in-env");
  expect(secretOf({ LATTICE_API_OIDC_HMAC_SECRET: "by-section" })).toBe("by-section");
});

test("a secret never prints, also when it is wrong", () => {
  const good = read(BASE, { LATTICE_OIDC_HMAC_SECRET: "hush-hush" });
  const printed = [JSON.stringify(good.config), inspect(good.config, { depth: 9 }), renderConfigCheck(good).text];
  expect(printed.join()).not.toContain("hush-hush");
  const bad = read(BASE.replace("storage: {}", "storage: {vast_password: [hush-hush]}"));
  expect(bad.problems).toHaveLength(1);
  expect(bad.problems.join()).not.toContain("hush-hush");
});

test("with a secret the listeners bind every interface unless the file says otherwise", () => {
  const env = { LATTICE_OIDC_HMAC_SECRET: "s" };
  expect(configOf(read(BASE, env))?.api.restAddress.host).toBe("0.0.0.0");
  const named = BASE.replace("api: {}", 'api: {rest_address: "[::1]:81"}');
  expect(configOf(read(named, env))?.api.restAddress).toEqual({ host: "::1", port: 81 });
});

test("an open server obeys an explicit address and warns that others can reach it", () => {
  const reading = read(BASE.replace("api: {}", "api: {grpc_address: 0.0.0.0:50051}"));
  expect(configOf(reading)?.api.grpcAddress.host).toBe("0.0.0.0");
  expect(reading.warnings.join()).toContain("0.0.0.0:50051, which others can reach");
});

test("an issuer wins over the shared secret, which wins over nothing", () => {
  const modeOf = (api: string) => read(BASE.replace("api: {}", `api: {${api}}`));
  const both = modeOf("oidc_issuer: 'https://idp', oidc_client_id: lattice, oidc_hmac_secret: s");
  expect(configOf(both)?.api.auth).toMatchObject({ kind: "oidc", issuer: "https://idp", audience: "lattice" });
  expect(renderConfigCheck(both).text).toContain("accept tokens of https://idp");
  expect(both.warnings.join()).toContain("oidc_hmac_secret is not used");
  expect(configOf(modeOf("oidc_hmac_secret: s"))?.api.auth.kind).toBe("hmac");
  expect(configOf(modeOf(""))?.api.auth.kind).toBe("open");
});

test("a shared secret that can be guessed is warned about", () => {
  const warned = (secret: string) =>
    read(BASE.replace("api: {}", `api: {oidc_hmac_secret: ${secret}}`)).warnings.join();
  expect(warned("x".repeat(31))).toContain("can be guessed");
  expect(warned("x".repeat(32))).toBe("");
});

test("an issuer without a client id, or in clear text, is warned about", () => {
  const warned = (api: string) => read(BASE.replace("api: {}", `api: {${api}}`)).warnings.join();
  expect(warned("oidc_issuer: 'https://idp'")).toContain("every token of the issuer is accepted");
  expect(warned("oidc_issuer: 'http://idp', oidc_client_id: lattice")).toContain("in clear text");
  expect(warned("oidc_issuer: 'http://127.0.0.1:5556', oidc_client_id: lattice")).toBe("");
});

test("a certificate, its key and the authorities of callers go together", () => {
  const problems = (api: string) =>
    read(BASE.replace("api: {}", `api: {${api}}`), {}, { "/c": "x", "/k": "x" }).problems.join();
  expect(problems("tls_cert: /c")).toContain("api.tls_cert: needs api.tls_key beside it");
  expect(problems("tls_key: /k")).toContain("api.tls_key: needs api.tls_cert beside it");
  expect(problems("tls_ca: /c")).toContain("api.tls_ca: needs api.tls_cert beside it");
  expect(problems("tls_cert: /c, tls_key: /k, tls_ca: /c")).toBe("");
});

const VAULT = `${BASE}vault: {address: "https://vault:8200/", role_id: r}\n`;

test("Vault needs a role and a secret id, from a variable or a file, and says all that is missing", () => {
  const { problems, vault } = read(VAULT.replace(", role_id: r", ", tls_ca_path: /none"));
  expect(problems).toEqual([
    "vault.role_id: needed beside vault.address: the role id of the AppRole",
    "vault.secret_id_env: neither VAULT_SECRET_ID nor VAULT_SECRET_ID_FILE is set: put the secret id of the AppRole there",
    "c.yaml:5: vault.tls_ca_path: /none does not exist",
  ]);
  expect(vault).toBeUndefined();
  expect(read(VAULT, { VAULT_SECRET_ID: "s" }).vault).toMatchObject({
    address: "https://vault:8200",
    prefix: "secret/data/lattice",
    timeoutMs: 10_000,
  });
  const byFile = read(VAULT, { VAULT_SECRET_ID_FILE: "/s" }, { "/s": "from-file\n" });
  expect(byFile.vault?.secretId.reveal()).toBe("from-file");
});

test("what Vault holds wins over the environment, a file and the configuration; what it does not hold comes from there, with a warning", async () => {
  const text = VAULT.replace("api: {}", "api: {oidc_hmac_secret: in-config}");
  const env = { VAULT_SECRET_ID: "s", LATTICE_OIDC_HMAC_SECRET: "in-env", LATTICE_BACKUP_S3_ACCESS_KEY_ID: "key" };
  const first = read(text, env);
  const login = present(first.vault, "Vault is configured");
  const held = new Map([["api", { oidc_hmac_secret: "v".repeat(32), oidc_hmac_secre: "x" }]]);
  const vault = await readVaultSecrets(login, async (section) => held.get(section));
  const reading = readConfig({ path: "c.yaml", env, files: filesOf({ "c.yaml": text }), vault });
  const auth = configOf(reading)?.api.auth;
  expect(auth?.kind === "hmac" && auth.secret.reveal()).toBe("v".repeat(32));
  expect(reading.warnings).toEqual([
    "Vault secret/data/lattice/api#oidc_hmac_secre sets no secret; nearest: oidc_hmac_secret",
    "backup.s3_access_key_id is not in Vault: LATTICE_BACKUP_S3_ACCESS_KEY_ID gives it",
  ]);
  expect(renderConfigCheck(reading).text).toContain(
    "api.oidc_hmac_secret: Vault secret/data/lattice/api#oidc_hmac_secret",
  );
});

test("everything that is wrong in Vault comes with everything that is wrong elsewhere", async () => {
  const text = VAULT.replace("api: {}", "api: {grpc_adress: x}");
  const env = { VAULT_SECRET_ID: "s" };
  const login = present(read(text, env).vault, "Vault is configured");
  const vault = await readVaultSecrets(login, async (section) => {
    if (section === "backup") throw new LatticeError({ reason: "INVALID_CONFIG", message: "denied", next: "do this" });
    return section === "api" ? { oidc_hmac_secret: 7 } : undefined;
  });
  expect(readConfig({ path: "c.yaml", env, files: filesOf({ "c.yaml": text }), vault }).problems).toEqual([
    "Vault secret/data/lattice/api#oidc_hmac_secret: must be a text that is not empty",
    "vault: denied: do this",
    "c.yaml:2: unknown key api.grpc_adress; nearest: api.grpc_address",
  ]);
});

test("keys of capabilities to come are accepted and listed", () => {
  const reading = read(BASE.replace("storage: {}", "storage: {s3_endpoint: 'https://s3'}"));
  expect(reading.inactive).toEqual([{ name: "storage.s3_endpoint", capability: "S3, shared storage and VAST" }]);
  const check = renderConfigCheck(reading);
  expect(check.isUsable).toBe(true);
  expect(check.text).toContain("storage.s3_endpoint");
});

test("values that contradict each other are refused", () => {
  const text = BASE.replace("quorum: {}", "quorum: {node_id: 2, election_timeout_ms: 299}");
  const more = "network: {vni_pool_start: 9, vni_pool_end: 8}\nnode_agent: {heartbeat_interval_seconds: 30}\n";
  expect(read(text + more).problems.map((p) => p.split(": ")[1])).toEqual([
    "quorum.heartbeat_interval_ms",
    "node_agent.heartbeat_timeout_seconds",
    "network.vni_pool_end",
  ]);
});

const quorumOf = (quorum: string, env: Readonly<Record<string, string>> = {}) =>
  configOf(read(BASE.replace("quorum: {}", `quorum: ${quorum}`), env))?.quorum;
const SECURED = { LATTICE_OIDC_HMAC_SECRET: "s" };

test("the example of the specification gives a member and two others", () => {
  const peers = '[{id: 2, address: "lattice-02:9000"}, {id: 3, address: "lattice-03:9000"}]';
  const quorum = quorumOf(`{node_id: 1, peers: ${peers}}`, SECURED);
  expect(quorum?.peers).toEqual([
    { id: 2, address: "lattice-02:9000" },
    { id: 3, address: "lattice-03:9000" },
  ]);
  expect(quorum?.raftListenAddress).toEqual({ host: "0.0.0.0", port: 9000 });
  expect(quorum?.advertiseAddress).toBe(`${hostname()}:9000`);
  expect([quorum?.electionTimeoutMs, quorum?.heartbeatIntervalMs]).toEqual([500, 100]);
});

test("a server without peers listens for none unless told to", () => {
  expect(quorumOf("{}")?.raftListenAddress).toBeUndefined();
  expect(quorumOf('{raft_listen_address: "127.0.0.1:9001"}')?.raftListenAddress?.port).toBe(9001);
});

test("a member's own address is the one advertised, else its own among the peers, else where it listens", () => {
  const peers = '[{id: 1, address: "one:9000"}, {id: 2, address: "two:9000"}]';
  expect(quorumOf(`{peers: ${peers}}`)?.peers).toEqual([{ id: 2, address: "two:9000" }]);
  expect(quorumOf(`{peers: ${peers}}`)?.advertiseAddress).toBe("one:9000");
  expect(quorumOf(`{peers: ${peers}, advertise_address: "uno:9000"}`)?.advertiseAddress).toBe("uno:9000");
  expect(quorumOf('{raft_listen_address: "10.0.0.1:9000"}')?.advertiseAddress).toBe("10.0.0.1:9000");
});

test("an open server's members meet on loopback, and it says when others cannot reach it there", () => {
  const reading = read(BASE.replace("quorum: {}", "quorum: {peers: [{id: 2, address: 'b:9000'}]}"));
  expect(configOf(reading)?.quorum.raftListenAddress?.host).toBe("127.0.0.1");
  expect(reading.warnings.join()).toContain("cannot reach this one at 127.0.0.1:9000");
  expect(reading.warnings.join()).toContain("use an odd number");
});

test("a port for members that others can reach is warned of, with a secret too", () => {
  const reading = read(BASE.replace("quorum: {}", "quorum: {raft_listen_address: '0.0.0.0:9000'}"), SECURED);
  expect(reading.warnings.join()).toContain("0.0.0.0:9000 in clear text");
});

test("agents are told an address that they can dial", () => {
  const advertised = (api: string) => configOf(read(BASE.replace("api: {}", `api: ${api}`)))?.api.advertiseAddress;
  expect(advertised("{}")).toBe("127.0.0.1:50051");
  expect(advertised('{grpc_address: "0.0.0.0:50051"}')).toBe(`${hostname()}:50051`);
  expect(advertised('{advertise_address: "lattice-01:50051"}')).toBe("lattice-01:50051");
});

test("members with one id or one address, and an address that nobody can dial, are refused", () => {
  const problemsOf = (quorum: string) => read(BASE.replace("quorum: {}", `quorum: ${quorum}`)).problems.join();
  expect(problemsOf("{peers: [{id: 2, address: 'b:1'}, {id: 2, address: 'c:1'}]}")).toContain("the same id");
  expect(problemsOf("{peers: [{id: 2, address: 'b:1'}, {id: 3, address: 'b:1'}]}")).toContain("the same address");
  for (const bad of ["0.0.0.0:9000", "*:9000", "a:0"]) {
    expect(problemsOf(`{advertise_address: '${bad}'}`)).toContain("that others can dial");
  }
});

test("an address made from the host name is known to be a guess", () => {
  const isChosen = (quorum: string) => quorumOf(quorum)?.isAddressChosen;
  expect(isChosen("{}")).toBe(false);
  expect(isChosen('{raft_listen_address: "0.0.0.0:9000"}')).toBe(false);
  expect(isChosen('{raft_listen_address: "10.0.0.1:9000"}')).toBe(true);
  expect(isChosen('{advertise_address: "a:9000"}')).toBe(true);
  expect(isChosen("{peers: [{id: 1, address: 'a:9000'}]}")).toBe(true);
});

test("the scheduling section is the policy that the server plans by", () => {
  const text = `${BASE}scheduling:
  order: fcfs
  backfill: conservative
  backfill_depth: 50
  reservations: 7
  backfill_order: shortest
  weight_profile: ml-training
  usage_half_life_hours: 24
  preemption_enabled: false
`;
  const scheduling = configOf(read(text))?.scheduling;
  expect(scheduling?.policy).toEqual({
    depth: 50,
    order: "fcfs",
    backfill: "conservative",
    reservations: 7,
    backfillOrder: "shortest",
    energyPrice: 0.5,
    weights: WEIGHT_PROFILES["ml-training"],
  });
  expect(Number(scheduling?.usageHalfLifeMs)).toBe(86_400_000);
});

test("a scheduling section that says nothing gives the default policy, by which work makes room", () => {
  const preemption = { classDistance: 1, countMax: 10, checkpointMs: millis(300_000), spared: [] };
  expect(configOf(read(BASE))?.scheduling.policy).toEqual({ ...DEFAULT_POLICY, preemption });
});

test("preemption is switched off, or made by other classes and times", () => {
  const off = configOf(read(`${BASE}scheduling:\n  preemption_enabled: false\n`));
  expect(off?.scheduling.policy.preemption).toBeUndefined();
  const text = `${BASE}checkpoint:\n  checkpoint_timeout_seconds: 20\nscheduling:\n  preemption_class_distance: 3\n  preemption_spared_vclusters: [production]\n`;
  expect(configOf(read(text))?.scheduling.policy.preemption).toEqual({
    classDistance: 3,
    countMax: 10,
    checkpointMs: millis(20_000),
    spared: ["production"],
  });
});

test("a policy that does not exist is refused with those that do", () => {
  expect(read(`${BASE}scheduling:\n  order: lottery\n  reservations: 0\n`).problems).toEqual([
    'c.yaml:6: scheduling.order: must be one of fcfs, score, not "lottery"',
    "c.yaml:7: scheduling.reservations: must be at least 1, not 0",
  ]);
});
