/**
 * What every command can be told: by flags, by the environment, by the user's file
 * (`~/.config/lattice/config.toml` or `.yaml`), in this order.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { nearest } from "../base/nearest.ts";
import type { ClientTls } from "../client/client.ts";
import { parseEndpoints } from "../client/endpoints.ts";
import { readCertificates } from "../config/certificate-files.ts";
import { parseDuration } from "../core/slurm/duration.ts";
import type { Flag } from "./grammar/flag.ts";
import type { Given } from "./grammar/given.ts";
import { UsageError } from "./grammar/usage-error.ts";

/** The formats of output. */
export const FORMATS = ["table", "wide", "json", "yaml"] as const;
/** One of those formats. */
export type Format = (typeof FORMATS)[number];

/** The settings of one command. */
export interface Settings {
  readonly endpoints: readonly string[];
  readonly token?: string;
  /** Certificates for https:// servers. */
  readonly tls?: ClientTls;
  /** From a flag or the environment: wins over what a script says. */
  readonly tenant?: string;
  readonly vcluster?: string;
  /** From the user's file: used where a script says nothing. */
  readonly tenantDefault?: string;
  readonly vclusterDefault?: string;
  readonly format: Format;
  readonly isQuiet: boolean;
  readonly isStale: boolean;
  readonly timeoutMs: number;
}

const checkTimeout = (value: string): string | undefined =>
  parseDuration(value, "seconds").ok ? undefined : "is not a time: write seconds or 90s, 5m";

/** The flags that every command takes. */
export const GLOBAL_FLAGS = {
  server: {
    type: "string",
    alias: "s",
    valueHint: "URL[,URL]",
    description: "Servers to ask, the first that answers (LATTICE_SERVER)",
  },
  token: { type: "string", valueHint: "TOKEN", description: "Bearer token (LATTICE_TOKEN is safer)" },
  ca: { type: "string", valueHint: "FILE", description: "Authorities of the servers, PEM (LATTICE_CA)" },
  cert: { type: "string", valueHint: "FILE", description: "Client certificate, PEM (LATTICE_CERT)" },
  key: { type: "string", valueHint: "FILE", description: "Its private key, PEM (LATTICE_KEY)" },
  tenant: { type: "string", alias: "t", valueHint: "NAME", description: "Tenant (LATTICE_TENANT)" },
  vcluster: { type: "string", valueHint: "NAME", description: "vCluster (LATTICE_VCLUSTER)" },
  output: { type: "string", alias: "o", valueHint: "FORMAT", choices: FORMATS, description: "Format of the output" },
  quiet: { type: "boolean", alias: "q", description: "Print ids only" },
  stale: { type: "boolean", description: "Take what the server has, although others may know more" },
  "no-color": { type: "boolean", description: "Never use colour (NO_COLOR)" },
  timeout: {
    type: "string",
    valueHint: "TIME",
    check: checkTimeout,
    description: "Longest wait for an answer, 30s unless set",
  },
} as const satisfies Record<string, Flag>;

const SERVER_DEFAULT = "http://127.0.0.1:8080";
const TIMEOUT_DEFAULT = "30s";
const FILE_KEYS = ["server", "tenant", "vcluster", "output", "timeout", "ca", "cert", "key"] as const;

/** What the user's file says. */
export type FileSettings = Readonly<Partial<Record<(typeof FILE_KEYS)[number], string>>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Returns the settings that flags, environment and file give together. Throws UsageError. */
export function settingsFrom(given: Given, env: Environment, file: FileSettings): Settings {
  const token = given.text("token") ?? nonEmpty(env.LATTICE_TOKEN);
  const tenant = given.text("tenant") ?? nonEmpty(env.LATTICE_TENANT);
  const vcluster = given.text("vcluster") ?? nonEmpty(env.LATTICE_VCLUSTER);
  const endpoints = parseEndpoints(
    given.text("server") ?? nonEmpty(env.LATTICE_SERVER) ?? file.server ?? SERVER_DEFAULT,
  );
  if (!endpoints.ok) throw new UsageError(`--server: ${endpoints.error.message}`);
  const timeout = parseDuration(given.text("timeout") ?? file.timeout ?? TIMEOUT_DEFAULT, "seconds");
  if (!timeout.ok || timeout.value === 0) throw new UsageError("--timeout: the time must be longer than nothing");
  const output = given.text("output") ?? file.output ?? "table";
  const format = FORMATS.find((name) => name === output);
  if (format === undefined) throw new UsageError(`output: "${output}" is none of ${FORMATS.join(", ")}`);
  return {
    endpoints: endpoints.value,
    ...(token === undefined ? {} : { token }),
    ...tlsFrom(given, env, file),
    ...(tenant === undefined ? {} : { tenant }),
    ...(vcluster === undefined ? {} : { vcluster }),
    ...(file.tenant === undefined ? {} : { tenantDefault: file.tenant }),
    ...(file.vcluster === undefined ? {} : { vclusterDefault: file.vcluster }),
    format,
    isQuiet: given.has("quiet"),
    isStale: given.has("stale"),
    timeoutMs: timeout.value,
  };
}

/** Files that cannot be used are told here, before any server is asked. */
function tlsFrom(given: Given, env: Environment, file: FileSettings): Pick<Settings, "tls"> {
  const path = (name: "ca" | "cert" | "key", variable: string | undefined) =>
    given.text(name) ?? nonEmpty(variable) ?? file[name];
  const ca = path("ca", env.LATTICE_CA);
  const cert = path("cert", env.LATTICE_CERT);
  const key = path("key", env.LATTICE_KEY);
  if (ca === undefined && cert === undefined && key === undefined) return {};
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const { validUntil: _, ...tls } = readCertificates(files, Date.now());
  return { tls };
}

/** Returns what the user's file says; nothing when there is none. Throws UsageError naming the file. */
export async function readUserFile(env: Environment): Promise<FileSettings> {
  const folder = join(nonEmpty(env.XDG_CONFIG_HOME) ?? join(nonEmpty(env.HOME) ?? homedir(), ".config"), "lattice");
  for (const name of ["config.toml", "config.yaml"]) {
    const path = join(folder, name);
    if (existsSync(path)) return checkedFile(path, await parseFile(path, readFileSync(path, "utf8")));
  }
  return {};
}

async function parseFile(path: string, text: string): Promise<unknown> {
  try {
    if (path.endsWith(".toml")) return Bun.TOML.parse(text);
    const { parse } = await import("yaml");
    return parse(text) ?? {};
  } catch (error) {
    throw new UsageError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Refuses keys that nothing reads, so that a typing error is not a setting that never works. */
export function checkedFile(path: string, parsed: unknown): FileSettings {
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new UsageError(`${path}: the file must hold keys with values`);
  }
  const settings: Partial<Record<(typeof FILE_KEYS)[number], string>> = {};
  for (const [name, value] of Object.entries(parsed)) {
    const key = FILE_KEYS.find((known) => known === name);
    if (key === undefined) {
      const close = nearest(name, FILE_KEYS);
      throw new UsageError(
        `${path}: unknown key "${name}"`,
        close === undefined ? `known keys are ${FILE_KEYS.join(", ")}` : `did you mean "${close}"?`,
      );
    }
    const text = Array.isArray(value) ? value.join(",") : value;
    if (typeof text !== "string" || text === "") throw new UsageError(`${path}: ${name} must be text`);
    settings[key] = text;
  }
  return settings;
}

const nonEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
