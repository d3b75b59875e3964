/** From checked values to ServerConfig: units, addresses, absolute paths, and what follows from an open server. */
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { millis } from "../base/brand.ts";
import type { Policy } from "../core/scheduler/policy.ts";
import { DEFAULT_POLICY } from "../core/scheduler/policy.ts";
import { WEIGHT_PROFILES } from "../core/scheduler/score/weight-profiles.ts";
import { Secret } from "./redact.ts";
import type { ConfigValues } from "./schema.ts";
import type { AuthMode, ListenAddress, ServerConfig } from "./server-config.ts";

const GRPC_PORT = 50_051;
const REST_PORT = 8080;
const RAFT_PORT = 9000;

/** Returns what the server is started with. */
export function buildConfig(values: ConfigValues): ServerConfig {
  const { quorum, api, node_agent, scheduling } = values;
  const auth = authMode(values);
  const host = auth.kind === "open" ? "127.0.0.1" : "0.0.0.0";
  const grpcAddress = parseAddress(api.grpc_address ?? `${host}:${GRPC_PORT}`);
  return {
    quorum: quorumOf(quorum, host),
    api: {
      grpcAddress,
      advertiseAddress: api.advertise_address ?? reachable(grpcAddress),
      restAddress: parseAddress(api.rest_address ?? `${host}:${REST_PORT}`),
      auth,
      ...tlsOf(api),
      claims: { user: api.oidc_username_claim, tenant: api.oidc_tenant_claim },
      accounts: api.account_mapping,
      discovery: { issuer: api.oidc_issuer, clientId: api.oidc_client_id },
    },
    identity: identityOf(values),
    backup: backupOf(values),
    audit: auditOf(values),
    nodeAgent: {
      heartbeatIntervalMs: inMillis(node_agent.heartbeat_interval_seconds),
      heartbeatTimeoutMs: inMillis(node_agent.heartbeat_timeout_seconds),
      gracePeriodMs: inMillis(node_agent.grace_period_seconds),
      sensitiveGracePeriodMs: inMillis(node_agent.sensitive_grace_period_seconds),
    },
    scheduling: {
      cycleIntervalMs: inMillis(scheduling.cycle_interval_seconds),
      policy: {
        ...DEFAULT_POLICY,
        order: scheduling.order,
        backfill: scheduling.backfill,
        depth: scheduling.backfill_depth,
        reservations: scheduling.reservations,
        backfillOrder: scheduling.backfill_order,
        weights: WEIGHT_PROFILES[scheduling.weight_profile],
        ...capsOf(values),
        ...preemptionOf(values),
      },
      autoscale: {
        intervalMs: inMillis(scheduling.autoscale_interval_seconds),
        upAfterMs: inMillis(scheduling.autoscale_up_seconds),
        downAfterMs: inMillis(scheduling.autoscale_down_seconds),
        cooldownMs: inMillis(scheduling.autoscale_cooldown_seconds),
      },
      usageHalfLifeMs: inMillis(scheduling.usage_half_life_hours * 3_600),
    },
    telemetry: {
      metricsEndpoint: values.telemetry.tsdb_endpoint,
      metricsPushMs: inMillis(values.telemetry.prod_interval_seconds),
    },
    rateLimit: {
      requestsPerSecond: values.rate_limit.requests_per_second,
      requestBurst: values.rate_limit.request_burst,
      logStreamsMax: values.rate_limit.stream_logs_max_concurrent,
    },
    compat: { isSlurmEnvSet: values.compat.set_slurm_env },
    log: { level: values.log.level },
  };
}

function tlsOf({ tls_cert, tls_key, tls_ca }: ConfigValues["api"]): Pick<ServerConfig["api"], "tls"> {
  if (tls_cert === undefined || tls_key === undefined) return {};
  const ca = tls_ca === undefined ? {} : { ca: resolve(tls_ca) };
  return { tls: { cert: resolve(tls_cert), key: resolve(tls_key), ...ca } };
}

/** A server without peers listens for none unless told to, so that several single ones fit on one machine. */
function quorumOf(quorum: ConfigValues["quorum"], defaultHost: string): ServerConfig["quorum"] {
  const { node_id: nodeId, raft_listen_address: listen } = quorum;
  const peers = quorum.peers.filter((peer) => peer.id !== nodeId);
  const isListening = listen !== undefined || peers.length > 0;
  const address = parseAddress(listen ?? `${defaultHost}:${RAFT_PORT}`);
  const ownEntry = quorum.peers.find((peer) => peer.id === nodeId)?.address;
  return {
    nodeId,
    dataDir: resolve(quorum.data_dir),
    bootstrap: quorum.bootstrap,
    snapshotThreshold: quorum.snapshot_threshold,
    peers,
    raftListenAddress: isListening ? address : undefined,
    advertiseAddress: quorum.advertise_address ?? ownEntry ?? reachable(address),
    isAddressChosen:
      (quorum.advertise_address ?? ownEntry) !== undefined || (listen !== undefined && !isWildcard(address)),
    electionTimeoutMs: quorum.election_timeout_ms,
    heartbeatIntervalMs: quorum.heartbeat_interval_ms,
  };
}

function preemptionOf({ scheduling, checkpoint }: ConfigValues): Pick<Policy, "preemption"> {
  if (!scheduling.preemption_enabled) return {};
  return {
    preemption: {
      classDistance: scheduling.preemption_class_distance,
      countMax: scheduling.preemption_count_max,
      checkpointMs: inMillis(checkpoint.checkpoint_timeout_seconds),
      spared: scheduling.preemption_spared_vclusters,
    },
  };
}

function capsOf({ scheduling }: ConfigValues): Pick<Policy, "caps"> {
  const { power_cap_watts: powerWatts, storage_bandwidth_cap_mbps: storageMbps } = scheduling;
  if (powerWatts === 0 && storageMbps === 0) return {};
  return { caps: { ...(powerWatts > 0 && { powerWatts }), ...(storageMbps > 0 && { storageMbps }) } };
}

function identityOf({ identity }: ConfigValues): ServerConfig["identity"] {
  const { ca_cert, ca_key, signing_address, cert_lifetime_seconds } = identity;
  return {
    ...(ca_cert !== undefined && { caCert: resolve(ca_cert) }),
    ...(ca_key !== undefined && { caKey: new Secret(ca_key) }),
    ...(signing_address !== undefined && { signingAddress: parseAddress(signing_address) }),
    lifetimeMs: inMillis(cert_lifetime_seconds),
  };
}

function backupOf({ backup, quorum }: ConfigValues): ServerConfig["backup"] {
  const { s3_endpoint, s3_region, s3_access_key_id, s3_secret_access_key } = backup;
  const location = backup.location ?? join(dirname(resolve(quorum.data_dir)), "backups");
  return {
    location: location.startsWith("s3://") ? location : resolve(location),
    intervalMs: inMillis(backup.interval_seconds),
    keep: backup.keep,
    s3: {
      ...(s3_endpoint !== "" && { endpoint: s3_endpoint }),
      ...(s3_region !== "" && { region: s3_region }),
      ...(s3_access_key_id !== undefined && { accessKeyId: new Secret(s3_access_key_id) }),
      ...(s3_secret_access_key !== undefined && { secretAccessKey: new Secret(s3_secret_access_key) }),
    },
  };
}

function auditOf({ audit, quorum }: ConfigValues): ServerConfig["audit"] {
  const { audit_signing_key: key, audit_signing_key_path: path } = quorum;
  const location = audit.location ?? join(dirname(resolve(quorum.data_dir)), "audit");
  return {
    keyPath: resolve(path ?? join(quorum.data_dir, "audit.key")),
    ...(key !== undefined && { key: new Secret(key) }),
    location: location.startsWith("s3://") ? location : resolve(location),
    archiveAfterMs: inMillis(audit.archive_after_days * 86_400),
  };
}

/** Returns what is unwise, or contradicts itself without being wrong. */
export function warningsOf(config: ServerConfig): readonly string[] {
  const warnings: string[] = [];
  const open = config.api.auth.kind === "open";
  const who = config.api.tls?.ca === undefined ? "who reaches this server" : "with a certificate that names no machine";
  if (open) warnings.push(`no authentication is configured: everyone ${who} is its administrator`);
  const bound = [config.api.grpcAddress, config.api.restAddress].filter((a) => !isLoopback(a.host));
  if (open && bound.length > 0) {
    warnings.push(`the open server is bound to ${bound.map(formatAddress).join(" and ")}, which others can reach`);
  }
  return [...warnings, ...tokenWarnings(config.api.auth), ...quorumWarnings(config)];
}

/** RFC 7518, section 3.2: a key shorter than the hash can be found by trying. */
const SECRET_LENGTH_MIN = 32;

function tokenWarnings(auth: AuthMode): string[] {
  if (auth.kind === "hmac" && auth.secret.reveal().length < SECRET_LENGTH_MIN) {
    return [`api.oidc_hmac_secret can be guessed from any token: use ${SECRET_LENGTH_MIN} random characters or more`];
  }
  if (auth.kind !== "oidc") return [];
  const warnings: string[] = [];
  if (auth.isSecretUnused) warnings.push("api.oidc_hmac_secret is not used: api.oidc_issuer wins over it");
  if (auth.audience === undefined) {
    warnings.push("api.oidc_client_id is empty: every token of the issuer is accepted, whatever it was made for");
  }
  const { protocol, hostname: host } = new URL(auth.issuer);
  if (protocol === "http:" && !isLoopback(host)) {
    warnings.push(`the keys of ${auth.issuer} come in clear text: who changes them on the way signs in as anyone`);
  }
  return warnings;
}

function quorumWarnings({ quorum, api }: ServerConfig): string[] {
  const { peers, raftListenAddress: listen, advertiseAddress } = quorum;
  const warnings: string[] = [];
  if (listen !== undefined && !isLoopback(listen.host) && api.tls?.ca === undefined) {
    warnings.push(
      `members connect to ${formatAddress(listen)} in clear text and without proof of who they are: set api.tls_ca, or keep others off that port`,
    );
  }
  const isLocal = (address: string) => isLoopback(parseAddress(address).host);
  if (peers.some((peer) => !isLocal(peer.address)) && isLocal(advertiseAddress)) {
    warnings.push(
      `the other members cannot reach this one at ${advertiseAddress}: set quorum.raft_listen_address, or quorum.advertise_address`,
    );
  }
  const size = peers.length + 1;
  if (size > 1 && size % 2 === 0) {
    warnings.push(`${size} servers bear no more losses than ${size - 1}: use an odd number`);
  }
  return warnings;
}

/** Returns "host:port" as a listener prints it. */
export const formatAddress = ({ host, port }: ListenAddress): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

/** Returns the parts of "host:port"; an IPv6 host stands in brackets. */
export function parseAddress(text: string): ListenAddress {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host: host === "*" ? "0.0.0.0" : host, port: Number(text.slice(colon + 1)) };
}

/** Returns what others dial where nothing else is said. */
function reachable(address: ListenAddress): string {
  return formatAddress(isWildcard(address) ? { ...address, host: hostname() } : address);
}

const isWildcard = ({ host }: ListenAddress): boolean => host === "0.0.0.0" || host === "::";

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.");

const inMillis = (seconds: number) => millis(seconds * 1_000);

function authMode({ api }: ConfigValues): AuthMode {
  const audience = api.oidc_client_id === "" ? undefined : api.oidc_client_id;
  if (api.oidc_issuer !== "") {
    return { kind: "oidc", issuer: api.oidc_issuer, audience, isSecretUnused: api.oidc_hmac_secret !== undefined };
  }
  if (api.oidc_hmac_secret === undefined) return { kind: "open" };
  return { kind: "hmac", secret: new Secret(api.oidc_hmac_secret), audience };
}
