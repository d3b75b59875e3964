/** The command line of lattice-agent: its flags, the environment variables beside them, its help. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { LatticeError } from "../core/domain/errors.ts";
import type { TlsFiles } from "./certificate-files.ts";
import { type FlagSpecs, parseFlags, renderFlags } from "./flags.ts";
import { realFiles } from "./reachable.ts";
import type { ListenAddress, LogLevel } from "./server-config.ts";
import { readAgentConfig } from "./sources/agent-config.ts";

/** The flags, in the order of the help. */
export const AGENT_FLAGS: FlagSpecs = {
  config: { short: "c", value: "FILE", meaning: "configuration whose section identity is read (default: none)" },
  "node-id": { value: "NAME", meaning: "name of this node (default: the host name)" },
  "quorum-endpoint": { value: "URL[,URL…]", meaning: "servers to dial (default: http://localhost:50051)" },
  "heartbeat-interval": { value: "SECONDS", meaning: "time between heartbeats (default: what the server says)" },
  "cpu-cores": { value: "COUNT", meaning: "processors of this node (default: as detected)" },
  "memory-gb": { value: "GIB", meaning: "memory of this node (default: as detected)" },
  "gpu-count": { value: "COUNT", meaning: "GPUs of this node (default: 0)" },
  "gpu-type": { value: "TYPE", meaning: "their type, as GH200" },
  features: { value: "NAME[,NAME…]", meaning: "features that allocations may ask for" },
  group: { value: "NUMBER", meaning: "dragonfly group of this node (default: 0)" },
  "conformance-fingerprint": {
    value: "TEXT",
    meaning: "equal on nodes of one make (default: made from hardware, firmware and drivers; none for unknown)",
  },
  "unified-memory": { meaning: "processors and GPUs share one memory (default: as GPU types GH200, GB200, MI300A do)" },
  "power-watts": { value: "WATTS", meaning: "what this node draws at most, for power caps (default: not known)" },
  "cxl-memory-gb": { value: "GIB", meaning: "of the memory, what is attached by CXL (default: as detected)" },
  "grpc-addr": { value: "HOST:PORT", meaning: "where health and metrics listen (default: 0.0.0.0:50052)" },
  "advertise-addr": { value: "HOST:PORT", meaning: "where others reach it (default: host name and that port)" },
  "state-dir": { value: "FOLDER", meaning: "where workloads are kept (default: /var/lib/lattice/agent)" },
  "state-file": { value: "FILE", meaning: "older form of --state-dir: the folder of FILE" },
  "wipe-command": {
    value: "FILE",
    meaning: "program that wipes this node after sensitive work, before it takes other work",
  },
  "default-user": { value: "NAME", meaning: "account for work that an open server took from nobody in particular" },
  "allow-root": { meaning: "let user root, and accounts of the system, run work" },
  "min-uid": { value: "UID", meaning: "least uid of accounts that run work (default: 1000)" },
  "tsdb-endpoint": { value: "URL", meaning: "VictoriaMetrics that metrics are sent to, besides being scraped" },
  "bootstrap-cert": { value: "FILE", meaning: "certificate of this node, PEM, for https:// endpoints" },
  "bootstrap-key": { value: "FILE", meaning: "private key of that certificate, PEM" },
  "bootstrap-ca": { value: "FILE", meaning: "authorities that the servers' certificates come from, PEM" },
  "spire-socket": { value: "FILE", meaning: "Workload API of the SPIRE agent (default: /run/spire/agent.sock)" },
  "signing-endpoint": { value: "URL", meaning: "where the servers sign this node's first certificate" },
  "join-token-file": { value: "FILE", meaning: "the join token for that; LATTICE_JOIN_TOKEN holds it itself" },
  "log-level": { value: "LEVEL", meaning: "debug, info, warn or error (default: info)" },
  version: { short: "V", meaning: "print the version and leave" },
  help: { short: "h", meaning: "print this help and leave" },
};

/** Variables whose names do not follow from a flag's. */
const ALIASES: Readonly<Record<string, string>> = {
  LATTICE_TELEMETRY_TSDB_ENDPOINT: "tsdb-endpoint",
};

const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** What an agent is started with. */
export interface AgentOptions {
  readonly nodeId: string;
  readonly endpoints: readonly string[];
  /** 0 takes the server's. */
  readonly heartbeatIntervalMs: number;
  /** Undefined for what the machine has. */
  readonly cpus: number | undefined;
  readonly memoryGib: number | undefined;
  readonly gpuCount: number;
  readonly gpuType: string;
  readonly features: readonly string[];
  readonly group: number;
  /** Undefined for one made from what the machine is, empty for none. */
  readonly conformance: string | undefined;
  readonly hasUnifiedMemory: boolean;
  readonly cxlMemoryGib: number | undefined;
  /** 0 where it is not known. */
  readonly powerWatts: number;
  readonly listen: ListenAddress;
  /** Empty for the host name and the port that it listens on. */
  readonly advertiseAddress: string;
  readonly stateDir: string;
  readonly defaultUser: string;
  /** Program that wipes the node, as an absolute path; empty for none. */
  readonly wipeCommand: string;
  readonly allowsRoot: boolean;
  readonly uidMin: number;
  readonly logLevel: LogLevel;
  /** Bearer token; empty for an open server. */
  readonly token: string;
  /** Paths of the certificate, its key and the authorities; what was not given is absent. */
  readonly tls: TlsFiles;
  /** Path of SPIRE's socket, which need not be there. */
  readonly spireSocket: string;
  readonly join: JoinOptions;
  /** Base URL of VictoriaMetrics; empty for none. */
  readonly tsdbEndpoint: string;
}

/** How a node gets its first certificate of the servers. */
export interface JoinOptions {
  /** Empty for none. */
  readonly signingEndpoint: string;
  /** Empty where the node has a certificate already. */
  readonly token: string;
}

/** What the command line asks for. */
export type AgentCommand =
  | { readonly kind: "run"; readonly options: AgentOptions }
  | { readonly kind: "version" }
  | { readonly kind: "help"; readonly text: string };

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns what `argv`, without the program's name, and the environment ask for; flags win.
 * @throws INVALID_FLAGS with every problem, one a line.
 */
export function parseAgentFlags(argv: readonly string[], env: Environment): AgentCommand {
  const { values, switches } = parseFlags(AGENT_FLAGS, argv);
  if (switches.has("help")) return { kind: "help", text: help() };
  if (switches.has("version")) return { kind: "version" };
  const reader = new OptionReader(values, switches, env);
  const options = optionsFrom(reader, env);
  if (reader.problems.length > 0) refuse(reader.problems.join("\n"));
  return { kind: "run", options };
}

function optionsFrom(reader: OptionReader, env: Environment): AgentOptions {
  const stateFile = reader.text("state-file", "");
  return {
    nodeId: reader.matching("node-id", hostname(), /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/),
    endpoints: reader.list("quorum-endpoint", "http://localhost:50051").map((text) => reader.endpoint(text)),
    heartbeatIntervalMs: (reader.number("heartbeat-interval", 1) ?? 0) * 1000,
    cpus: reader.number("cpu-cores", 1),
    memoryGib: reader.number("memory-gb", 1),
    gpuCount: reader.number("gpu-count", 0) ?? 0,
    gpuType: reader.text("gpu-type", ""),
    features: reader.list("features", ""),
    group: reader.number("group", 0) ?? 0,
    conformance: conformanceOf(reader),
    hasUnifiedMemory: reader.isOn("unified-memory") || SUPERCHIPS.test(reader.text("gpu-type", "")),
    cxlMemoryGib: reader.number("cxl-memory-gb", 0),
    powerWatts: reader.number("power-watts", 0) ?? 0,
    listen: reader.address("grpc-addr", "0.0.0.0:50052"),
    advertiseAddress: reader.text("advertise-addr", ""),
    stateDir: reader.text("state-dir", stateFile === "" ? defaultStateDir(env) : dirname(stateFile)),
    defaultUser: reader.text("default-user", ""),
    wipeCommand: pathOr(reader.text("wipe-command", "")),
    allowsRoot: reader.isOn("allow-root"),
    uidMin: reader.number("min-uid", 1) ?? 1_000,
    logLevel: reader.logLevel(),
    token: env.LATTICE_AGENT_TOKEN ?? "",
    tls: tlsFiles(reader),
    spireSocket: resolve(reader.text("spire-socket", "/run/spire/agent.sock")),
    join: joinOptions(reader, env),
    tsdbEndpoint: reader.text("tsdb-endpoint", ""),
  };
}

/** Types whose processors and GPUs share one memory. */
const SUPERCHIPS = /GH200|GB200|MI300A/i;

function conformanceOf(reader: OptionReader): string | undefined {
  const text = reader.text("conformance-fingerprint", "");
  return text === "" ? undefined : text === "none" ? "" : text;
}

function tlsFiles(reader: OptionReader): TlsFiles {
  const path = (flag: string) => reader.text(flag, "");
  const [cert, key, ca] = [path("bootstrap-cert"), path("bootstrap-key"), path("bootstrap-ca")];
  if ((cert === "") !== (key === "")) reader.problems.push("--bootstrap-cert and --bootstrap-key are given together");
  const plain = reader.list("quorum-endpoint", "").filter((text) => !text.startsWith("https://"));
  if (cert !== "" && plain.length > 0) {
    reader.problems.push(
      `--quorum-endpoint: with certificates the servers are dialled by https://, not ${plain.join(", ")}`,
    );
  }
  return {
    ...(cert !== "" && { cert: resolve(cert) }),
    ...(key !== "" && { key: resolve(key) }),
    ...(ca !== "" && { ca: resolve(ca) }),
  };
}

function joinOptions(reader: OptionReader, env: Environment): JoinOptions {
  const signingEndpoint = reader.text("signing-endpoint", "");
  if (signingEndpoint !== "" && !(URL.canParse(signingEndpoint) && signingEndpoint.startsWith("https://"))) {
    reader.problems.push(`--signing-endpoint must be a URL that begins with https://, not ${signingEndpoint}`);
  }
  return { signingEndpoint, token: env.LATTICE_JOIN_TOKEN ?? reader.fileText("join-token-file") };
}

const pathOr = (path: string): string => (path === "" ? "" : resolve(path));

function defaultStateDir(env: Environment): string {
  if (process.getuid?.() === 0) return "/var/lib/lattice/agent";
  return `${env.XDG_STATE_HOME || `${env.HOME ?? ""}/.local/state`}/lattice/agent`;
}

const HOST = /^([A-Za-z0-9](?:[\w.-]*\w)?|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?$/;

class OptionReader {
  readonly problems: string[] = [];
  readonly #configured: ReadonlyMap<string, string>;

  constructor(
    readonly values: ReadonlyMap<string, string>,
    readonly switches: ReadonlySet<string>,
    readonly env: Environment,
  ) {
    const path = values.get("config") ?? env.LATTICE_CONFIG ?? "";
    const { values: configured, problems } =
      path === "" ? { values: new Map<string, string>(), problems: [] } : readAgentConfig(path, realFiles);
    this.#configured = configured;
    this.problems.push(...problems);
  }

  text(flag: string, fallback: string): string {
    const alias = Object.keys(ALIASES).find((name) => ALIASES[name] === flag);
    return (
      this.values.get(flag) ??
      (this.env[variableOf(flag)] || (alias && this.env[alias]) || (this.#configured.get(flag) ?? fallback))
    );
  }

  matching(flag: string, fallback: string, pattern: RegExp): string {
    const value = this.text(flag, fallback);
    if (!pattern.test(value))
      this.problems.push(`--${flag} must match ${pattern.source}, not ${JSON.stringify(value)}`);
    return value;
  }

  /** The content of the file that a flag names; a file that is gone holds nothing: a join token is used once. */
  fileText(flag: string): string {
    const path = this.text(flag, "");
    if (path === "") return "";
    try {
      return readFileSync(path, "utf8").trim();
    } catch (error) {
      const isGone = error instanceof Error && Reflect.get(error, "code") === "ENOENT";
      if (!isGone) this.problems.push(`--${flag}: ${path} cannot be read by this user`);
      return "";
    }
  }

  list(flag: string, fallback: string): readonly string[] {
    const words = this.text(flag, fallback).split(",");
    return words.map((word) => word.trim()).filter((word) => word !== "");
  }

  number(flag: string, least: number): number | undefined {
    const text = this.text(flag, "");
    if (text === "") return undefined;
    const value = Number(text);
    if (/^[0-9]{1,9}$/.test(text) && value >= least) return value;
    this.problems.push(`--${flag} must be a whole number of at least ${least}, not ${JSON.stringify(text)}`);
    return undefined;
  }

  isOn(flag: string): boolean {
    return this.switches.has(flag) || ["1", "true", "yes"].includes(this.env[variableOf(flag)]?.toLowerCase() ?? "");
  }

  /** A server is a URL, or a host with or without the port that servers listen on. */
  endpoint(text: string): string {
    if (/^https?:\/\/[^/]/.test(text) && URL.canParse(text)) return text;
    const [, host, port = ":50051"] = HOST.exec(text) ?? [];
    const url = `http://${host}${port}`;
    if (host !== undefined && URL.canParse(url)) return url;
    this.problems.push(`--quorum-endpoint must be a URL as http://lattice-01:50051, not ${JSON.stringify(text)}`);
    return text;
  }

  address(flag: string, fallback: string): ListenAddress {
    const text = this.text(flag, fallback);
    const [, host, port] = /^(.+):([0-9]{1,5})$/.exec(text) ?? [];
    if (host !== undefined && Number(port) <= 65_535) return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
    this.problems.push(`--${flag} must be HOST:PORT, not ${JSON.stringify(text)}`);
    return { host: "", port: 0 };
  }

  logLevel(): LogLevel {
    const text = this.text("log-level", "info");
    const level = LOG_LEVELS.find((known) => known === text);
    if (level === undefined) this.problems.push(`--log-level must be one of ${LOG_LEVELS.join(", ")}, not ${text}`);
    return level ?? "info";
  }
}

const variableOf = (flag: string): string => `LATTICE_${flag.toUpperCase().replaceAll("-", "_")}`;

const help = (): string => `Usage: lattice-agent [flags]

Runs the work of one compute node.

${renderFlags(AGENT_FLAGS)}

Each flag can also be set as a variable: --node-id as LATTICE_NODE_ID, and so
on. LATTICE_AGENT_TOKEN is the token that the agent shows to the servers.
`;

function refuse(message: string): never {
  throw new LatticeError({ reason: "INVALID_FLAGS", message });
}
