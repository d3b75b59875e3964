/**
 * From file, environment, Vault and flags to the configuration. Later sources win: the file,
 * then the environment, then Vault for secrets, then the flags. Everything that is wrong is found in one go and
 * said with its place: "file:line", the variable or the flag.
 */
import { LatticeError } from "../core/domain/errors.ts";
import { buildConfig, warningsOf } from "./build-config.ts";
import { type Override, readEnvironment } from "./environment.ts";
import { inactiveCapability } from "./inactive.ts";
import { problemsOf } from "./problems.ts";
import { type ConfigFiles, realFiles } from "./reachable.ts";
import { CONFIG_KEYS, CONFIG_SCHEMA, type ConfigValues, type KeyEntry, REQUIRED_SECTIONS } from "./schema.ts";
import type { ServerConfig } from "./server-config.ts";
import { type VaultLogin, type VaultSecrets, vaultOf } from "./sources/vault-secrets.ts";
import { readYaml, record, type YamlSource } from "./sources/yaml-source.ts";

/** Where a server without --config looks; it starts on defaults when the file is absent. */
export const DEFAULT_CONFIG_PATH = "/etc/lattice/config.yaml";

/** Where settings come from. */
export interface ConfigSources {
  /** The file that --config names; undefined looks at DEFAULT_CONFIG_PATH. */
  readonly path?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From flags. */
  readonly overrides?: readonly Override[];
  readonly files?: ConfigFiles;
  /** What Vault holds, where it has been asked. */
  readonly vault?: VaultSecrets;
}

/** A key that is set but not acted on. */
export interface InactiveKey {
  readonly name: string;
  readonly capability: string;
}

/** What the sources hold, right or wrong. */
export interface ConfigReading {
  /** The file that was read, if any. */
  readonly file: string | undefined;
  /** Absent when there are problems. */
  readonly values: ConfigValues | undefined;
  readonly config: ServerConfig | undefined;
  readonly problems: readonly string[];
  /** Those of the problems that may pass by themselves: Vault is away. */
  readonly outages: readonly string[];
  readonly inactive: readonly InactiveKey[];
  readonly warnings: readonly string[];
  /** Every secret that is set: its key and where it comes from, never its value. */
  readonly secrets: readonly string[];
  /** How to ask Vault; absent where it is not configured, or not rightly. */
  readonly vault?: VaultLogin;
}

/** A configuration that a server may start with. */
export interface LoadedConfig {
  readonly config: ServerConfig;
  /** Keys that are set and not active in this build. */
  readonly inactive: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Returns the configuration to start with.
 *
 * @throws INVALID_CONFIG with every problem, one a line; SERVER_UNREACHABLE where waiting may be all it takes.
 */
export function usableConfig({ config, problems, outages, inactive, warnings }: ConfigReading): LoadedConfig {
  if (problems.length > 0 || config === undefined) {
    const isAway = problems.length > 0 && problems.length === outages.length;
    const next = isAway ? { next: "the service manager tries again; see: lattice-server config check" } : {};
    throw new LatticeError({
      reason: isAway ? "SERVER_UNREACHABLE" : "INVALID_CONFIG",
      message: problems.join("\n"),
      ...next,
    });
  }
  return { config, inactive: inactive.map((key) => key.name), warnings };
}

/** Returns what the sources hold and everything that is wrong with it; throws nothing. */
export function readConfig({ path, env, overrides = [], files = realFiles, vault }: ConfigSources): ConfigReading {
  const source = readFile(path, files);
  if ("problems" in source) return unreadable(path, source.problems);
  const environment = readEnvironment(env, (file) => files.readText(file));
  const given = [...environment.overrides, ...(vault?.overrides ?? []), ...overrides];
  const data = merge(source.data, given);
  const place = (at: readonly PropertyKey[]) => given.findLast((o) => isWithin(at, o.path))?.source ?? source.place(at);

  const login = vaultOf(record(data.vault), env, files);
  const problems = [...environment.problems, ...login.problems, ...(vault?.problems ?? []), ...missingSections(source)];
  const checked = CONFIG_SCHEMA.safeParse(data);
  const found = checked.success ? [] : checked.error.issues.flatMap((issue) => problemsOf(issue, data));
  const values = checked.data;
  if (values !== undefined) found.push(...contradictions(values));
  found.push(...obstacles(data, files));
  problems.push(...found.map((p) => `${place(p.path)}: ${p.text}`));

  const config = values !== undefined && problems.length === 0 ? buildConfig(values) : undefined;
  const wisdom = config === undefined ? [] : [...warningsOf(config)];
  const secrets = secretsIn(data).map(({ name, path: at }) => ({ name, from: place(at) }));
  const strays = vault === undefined ? [] : secrets.filter(({ from }) => !from.startsWith("Vault "));
  wisdom.unshift(...strays.map(({ name, from }) => `${name} is not in Vault: ${from} gives it`));
  return {
    file: source.file,
    values,
    config,
    problems,
    outages: vault?.outages ?? [],
    inactive: inactiveKeys(data),
    warnings: [...environment.warnings, ...login.warnings, ...(vault?.warnings ?? []), ...wisdom],
    secrets: secrets.map(({ name, from }) => `${name}: ${from}`),
    ...(login.login && { vault: login.login }),
  };
}

const secretsIn = (data: Readonly<Record<string, unknown>>): readonly KeyEntry[] =>
  CONFIG_KEYS.filter(
    ({ path: [section = "", key = ""], facts }) => facts.isSecret === true && record(data[section])[key] !== undefined,
  );

type Source = YamlSource & { readonly file: string | undefined };

function readFile(path: string | undefined, files: ConfigFiles): Source | { readonly problems: readonly string[] } {
  const file = path ?? DEFAULT_CONFIG_PATH;
  if (path === undefined && files.obstacle(file, "file")?.endsWith("does not exist")) {
    return { data: {}, place: () => "the defaults", file: undefined };
  }
  const obstacle = files.obstacle(file, "file");
  if (obstacle !== undefined) return { problems: [`the configuration file ${obstacle}`] };
  const yaml = readYaml(file, files.readText(file));
  return "problems" in yaml ? yaml : { ...yaml, file };
}

const unreadable = (file: string | undefined, problems: readonly string[]): ConfigReading => ({
  file,
  values: undefined,
  config: undefined,
  problems,
  outages: [],
  inactive: [],
  warnings: [],
  secrets: [],
});

function missingSections(source: Source): string[] {
  const { file } = source;
  if (file === undefined) return [];
  return REQUIRED_SECTIONS.filter((s) => !Object.hasOwn(source.data, s)).map(
    (s) => `${file}: the section ${s} is required; "${s}: {}" takes the defaults`,
  );
}

/** An empty section ("telemetry:" with nothing below it) is a section of defaults. */
function merge(data: Readonly<Record<string, unknown>>, overrides: readonly Override[]): Record<string, unknown> {
  const merged: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(data)) merged[name] = value === null && name !== "role" ? {} : value;
  for (const { path, value } of overrides) {
    const [section, key] = path;
    if (section === undefined) continue;
    merged[section] = key === undefined ? value : { ...record(merged[section]), [key]: value };
  }
  return merged;
}

const isWithin = (at: readonly PropertyKey[], path: readonly PropertyKey[]): boolean =>
  path.every((step, i) => step === at[i]);

interface Found {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** What no single key shows. */
function contradictions({ quorum, network, node_agent, api, identity }: ConfigValues): Found[] {
  const found: Found[] = [];
  const check = (holds: boolean, path: readonly string[], text: string) => {
    if (!holds) found.push({ path, text: `${path.join(".")}: ${text}` });
  };
  check(
    quorum.heartbeat_interval_ms * 3 <= quorum.election_timeout_ms,
    ["quorum", "heartbeat_interval_ms"],
    `must be at most a third of quorum.election_timeout_ms (${quorum.election_timeout_ms}), not ${quorum.heartbeat_interval_ms}`,
  );
  check(
    node_agent.heartbeat_interval_seconds < node_agent.heartbeat_timeout_seconds,
    ["node_agent", "heartbeat_timeout_seconds"],
    `must be longer than node_agent.heartbeat_interval_seconds (${node_agent.heartbeat_interval_seconds})`,
  );
  const { tls_cert, tls_key, tls_ca } = api;
  check(tls_cert === undefined || tls_key !== undefined, ["api", "tls_cert"], "needs api.tls_key beside it");
  check(tls_key === undefined || tls_cert !== undefined, ["api", "tls_key"], "needs api.tls_cert beside it");
  check(tls_ca === undefined || tls_cert !== undefined, ["api", "tls_ca"], "needs api.tls_cert beside it");
  const { ca_cert, ca_key, signing_address } = identity;
  check(ca_cert === undefined || ca_key !== undefined, ["identity", "ca_cert"], "needs identity.ca_key beside it");
  check(ca_key === undefined || ca_cert !== undefined, ["identity", "ca_key"], "needs identity.ca_cert beside it");
  check(ca_cert === undefined || tls_ca !== undefined, ["identity", "ca_cert"], "needs api.tls_ca to trust it");
  check(
    signing_address === undefined || ca_cert !== undefined,
    ["identity", "signing_address"],
    "needs identity.ca_cert",
  );
  check(
    network.vni_pool_start <= network.vni_pool_end,
    ["network", "vni_pool_end"],
    `must not be below network.vni_pool_start (${network.vni_pool_start})`,
  );
  const isDistinct = (all: readonly (string | number)[]) => new Set(all).size === all.length;
  check(isDistinct(quorum.peers.map((p) => p.id)), ["quorum", "peers"], "two members have the same id");
  check(isDistinct(quorum.peers.map((p) => p.address)), ["quorum", "peers"], "two members have the same address");
  return found;
}

/** Only paths that somebody set: a default that nothing uses yet need not exist. */
function obstacles(data: Readonly<Record<string, unknown>>, files: ConfigFiles): Found[] {
  return CONFIG_KEYS.flatMap(({ name, path, facts }) => {
    const value = record(data[path[0] ?? ""])[path[1] ?? ""];
    if (facts.reach === undefined || typeof value !== "string" || value === "") return [];
    const obstacle = files.obstacle(value, facts.reach);
    return obstacle === undefined ? [] : [{ path, text: `${name}: ${obstacle}` }];
  });
}

function inactiveKeys(data: Readonly<Record<string, unknown>>): InactiveKey[] {
  return CONFIG_KEYS.flatMap(({ name, path }) => {
    const [top = "", own] = path;
    const isSet = own === undefined ? Object.hasOwn(data, top) : Object.hasOwn(record(data[top]), own);
    const capability = isSet ? inactiveCapability(path) : undefined;
    return capability === undefined ? [] : [{ name, capability }];
  });
}
