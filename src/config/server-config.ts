/**
 * The configuration as the server reads it: only what this build acts on, in units and
 * types of the code. `load.ts` makes it from the file, the environment and the flags; a
 * key of the schema that has no field here is "not active in this build".
 */
import type { Millis } from "../base/brand.ts";
import type { ScalePolicy } from "../core/scheduler/autoscale.ts";
import type { Policy } from "../core/scheduler/policy.ts";
import type { Secret } from "./redact.ts";

/** Which lines a log keeps: this level and above. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Where a listener binds. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** How callers prove who they are. */
export type AuthMode =
  /** Everyone is SystemAdmin. The server says so loudly. */
  | { readonly kind: "open" }
  /** HS256 tokens signed with a shared secret; `audience` is the expected `aud`, if any. */
  | { readonly kind: "hmac"; readonly secret: Secret; readonly audience: string | undefined }
  /** RS256 and ES256 tokens of an identity provider. */
  | {
      readonly kind: "oidc";
      readonly issuer: string;
      readonly audience: string | undefined;
      /** A shared secret is configured too, which then counts for nothing. */
      readonly isSecretUnused: boolean;
    };

/** The claims of a token that name whom it is of. */
export interface ClaimNames {
  readonly user: string;
  readonly tenant: string;
}

/** What GET /api/v1/auth/discovery answers. */
export interface AuthDiscovery {
  readonly issuer: string;
  readonly clientId: string;
}

/** Another member. */
export interface PeerConfig {
  readonly id: number;
  /** HOST:PORT */
  readonly address: string;
}

/** Everything that a server is started with. */
export interface ServerConfig {
  readonly quorum: {
    /** This member's number, at least 1. */
    readonly nodeId: number;
    /** Folder of the log and the state, as an absolute path. */
    readonly dataDir: string;
    /** Start a cluster on an empty data directory. */
    readonly bootstrap: boolean;
    /** Entries of the log between two snapshots. */
    readonly snapshotThreshold: number;
    /** The other members that the configuration lists. */
    readonly peers: readonly PeerConfig[];
    /** Where the other members connect to; undefined: nobody does, this server is alone. */
    readonly raftListenAddress: ListenAddress | undefined;
    /** What the other members dial, HOST:PORT. */
    readonly advertiseAddress: string;
    /** Whether somebody chose that address: one made from the host name must not replace what the others know. */
    readonly isAddressChosen: boolean;
    /** Shortest silence of the leader before an election; the longest is twice that. */
    readonly electionTimeoutMs: number;
    readonly heartbeatIntervalMs: number;
  };
  readonly api: {
    readonly grpcAddress: ListenAddress;
    readonly restAddress: ListenAddress;
    /** Where agents reach the gRPC listener, HOST:PORT. */
    readonly advertiseAddress: string;
    readonly auth: AuthMode;
    /** Absent: in the clear. With `ca`, callers need certificates, and so do members. */
    readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
    readonly claims: ClaimNames;
    /** Accounts of the nodes by user; see core/access/account-map. */
    readonly accounts: Readonly<Record<string, string>>;
    readonly discovery: AuthDiscovery;
  };
  readonly identity: {
    /** Path of the authority's certificate. */
    readonly caCert?: string;
    /** PEM. */
    readonly caKey?: Secret;
    readonly signingAddress?: ListenAddress;
    /** Of certificates that are signed. */
    readonly lifetimeMs: Millis;
  };
  readonly backup: {
    /** A folder as an absolute path, or s3://bucket/prefix. */
    readonly location: string;
    /** Between two scheduled backups; 0 for none. */
    readonly intervalMs: Millis;
    readonly keep: number;
    readonly s3: {
      readonly endpoint?: string;
      readonly region?: string;
      readonly accessKeyId?: Secret;
      readonly secretAccessKey?: Secret;
    };
  };
  readonly audit: {
    /** Of the signing key; made when it is not there. */
    readonly keyPath: string;
    /** The key itself, in base64; wins over the file. */
    readonly key?: Secret;
    /** Of archives: a folder as an absolute path, or s3://bucket/prefix. */
    readonly location: string;
    /** Age at which entries move to archives; 0 for never. */
    readonly archiveAfterMs: Millis;
  };
  readonly nodeAgent: {
    /** How often agents are told to send a heartbeat. */
    readonly heartbeatIntervalMs: Millis;
    /** Silence after which a node is Degraded. */
    readonly heartbeatTimeoutMs: Millis;
    /** Further silence, after Degraded, until a node is Down. */
    readonly gracePeriodMs: Millis;
    /** The same for a node that holds a sensitive claim. */
    readonly sensitiveGracePeriodMs: Millis;
  };
  readonly scheduling: {
    /** Longest pause between two scheduling passes; events start one sooner. */
    readonly cycleIntervalMs: Millis;
    readonly policy: Policy;
    /** How often services are measured, how long before they change, how long they are left alone then. */
    readonly autoscale: ScalePolicy & { readonly intervalMs: number };
    /** After this time use counts half as much for fair share. */
    readonly usageHalfLifeMs: Millis;
  };
  readonly telemetry: {
    /** Base URL of the database of metrics; empty for none. */
    readonly metricsEndpoint: string;
    /** Pause between two samples that are sent there. */
    readonly metricsPushMs: number;
  };
  readonly rateLimit: {
    /** Of one user; 0 for any number. */
    readonly requestsPerSecond: number;
    readonly requestBurst: number;
    /** Streams of output that one user may hold at a time. */
    readonly logStreamsMax: number;
  };
  readonly compat: {
    /** Whether work finds SLURM_* variables in its environment. */
    readonly isSlurmEnvSet: boolean;
  };
  readonly log: { readonly level: LogLevel };
}
