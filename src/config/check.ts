/** What `lattice-server config check` prints, and whether the configuration is right. */
import { formatAddress } from "./build-config.ts";
import type { ConfigReading, InactiveKey } from "./load.ts";
import { DEFAULT_CONFIG_PATH } from "./load.ts";
import type { AuthMode, ServerConfig } from "./server-config.ts";

/** A report and whether a server can start on what it describes. */
export interface ConfigCheck {
  readonly text: string;
  readonly isUsable: boolean;
}

/** Returns the report on a configuration. */
export function renderConfigCheck(reading: ConfigReading): ConfigCheck {
  const { file, problems, inactive, warnings, secrets } = reading;
  const isUsable = problems.length === 0;
  const source = file ?? `no file at ${DEFAULT_CONFIG_PATH}; the defaults`;
  const blocks = [
    list("errors", problems),
    list("warnings", warnings),
    list("secrets, and where they come from", secrets),
    list("not active in this build", inactive.length === 0 ? [] : byCapability(inactive)),
    list("the server would", isUsable ? summary(reading) : []),
  ];
  const verdict = isUsable ? "usable" : "not usable";
  return { text: `${[`${source}: ${verdict}`, ...blocks.filter((b) => b !== "")].join("\n\n")}\n`, isUsable };
}

const list = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? "" : [`${title}:`, ...lines.map((line) => `  ${line}`)].join("\n");

function byCapability(keys: readonly InactiveKey[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { capability, name } of keys) groups.set(capability, [...(groups.get(capability) ?? []), name]);
  return [...groups].flatMap(([capability, names]) => [`${capability}:`, ...names.map((name) => `  ${name}`)]);
}

function summary({ config }: ConfigReading): string[] {
  if (config === undefined) return [];
  const { api, quorum } = config;
  return [
    `keep its state in ${quorum.dataDir}`,
    `listen on ${formatAddress(api.restAddress)} (REST, Connect) and ${formatAddress(api.grpcAddress)} (gRPC, Connect)`,
    quorumLine(quorum),
    authLine(api.auth),
  ];
}

function authLine(auth: AuthMode): string {
  if (auth.kind === "open") return "ask nobody who they are";
  return auth.kind === "hmac" ? "accept tokens signed with the shared secret" : `accept tokens of ${auth.issuer}`;
}

function quorumLine({ nodeId, peers, raftListenAddress: listen, advertiseAddress }: ServerConfig["quorum"]): string {
  if (listen === undefined) return `be member ${nodeId}, the only one`;
  const others = peers.map(({ id, address }) => `${id} at ${address}`).join(", ");
  const known = others === "" ? "and know no other" : `with ${others}`;
  return `be member ${nodeId} at ${advertiseAddress}, listen on ${formatAddress(listen)} (Raft) ${known}`;
}
