/**
 * The sections that a configuration file must have (`quorum`, `api`, `storage`,
 * `telemetry`). Each key inside has a default or may be absent.
 */
import { z } from "zod";
import { address, count, key, network, path, reachableAddress, seconds, url, urlOrEmpty } from "./key.ts";

/** The sections that a file must have. */
export const REQUIRED = {
  quorum: z.strictObject({
    node_id: key(count(1, 1_000_000).default(1), "Number of this member; each server of a cluster has its own."),
    peers: key(
      z.array(z.strictObject({ id: count(1, 1_000_000), address: address() })).default([]),
      "The other members, each with its id and address; this member may be among them, with its own address.",
      { example: '[{ id: 2, address: "lattice-02:9000" }]' },
    ),
    data_dir: key(path().default("/var/lib/lattice/raft"), "Folder of the replicated log and the state.", {
      reach: "folder",
    }),
    bootstrap: key(z.boolean().default(false), "Start a cluster on an empty data directory, as --bootstrap does."),
    election_timeout_ms: key(
      count(50, 60_000).default(500),
      "Shortest silence of the leader before an election; the longest is twice that.",
    ),
    heartbeat_interval_ms: key(
      count(10, 20_000).default(100),
      "How often the leader shows that it is alive; at most a third of election_timeout_ms.",
    ),
    snapshot_threshold: key(count(100, 100_000_000).default(10_000), "Entries of the log between two snapshots."),
    raft_listen_address: key(address().optional(), "Where the other members connect to.", {
      example: "0.0.0.0:9000",
      defaultInWords: "0.0.0.0:9000; 127.0.0.1:9000 on an open server; not listening without peers",
    }),
    advertise_address: key(reachableAddress().optional(), "What the other members dial to reach this one.", {
      example: "lattice-01:9000",
      defaultInWords: "raft_listen_address, with the host name in the place of 0.0.0.0",
    }),
    bind_network: key(network().default("any"), "Network that the Raft listener belongs to: hsn, management or any."),
    audit_signing_key_path: key(
      path().optional(),
      "File with the 32-byte Ed25519 seed that signs this server's entries of the audit log; made when it is not there.",
      { example: "/etc/lattice/audit.key", defaultInWords: "the file audit.key in data_dir" },
    ),
    audit_signing_key: key(z.string().min(1).optional(), "The same seed in base64, in the place of a file.", {
      isSecret: true,
      example: "32-random-bytes-in-base64",
    }),
  }),

  api: z.strictObject({
    grpc_address: key(address().optional(), "Where gRPC and Connect listen.", {
      example: "0.0.0.0:50051",
      defaultInWords: "0.0.0.0:50051; 127.0.0.1:50051 on an open server",
    }),
    rest_address: key(address().optional(), "Where REST and Connect listen.", {
      example: "0.0.0.0:8080",
      defaultInWords: "0.0.0.0:8080; 127.0.0.1:8080 on an open server",
    }),
    advertise_address: key(reachableAddress().optional(), "Where agents reach the gRPC listener of this server.", {
      example: "lattice-01:50051",
      defaultInWords: "grpc_address, with the host name in the place of 0.0.0.0",
    }),
    oidc_issuer: key(
      urlOrEmpty("http", "https").default(""),
      "URL of the identity provider whose tokens (RS256, ES256) let people in, as it writes it itself; empty for none.",
    ),
    oidc_client_id: key(
      z.string().default(""),
      "Client id that tokens must be for (aud), which auth discovery tells clients.",
    ),
    oidc_username_claim: key(
      z.string().min(1).default("preferred_username"),
      "Claim that holds the login name of a token's user; a token without it is of its subject (sub).",
    ),
    oidc_tenant_claim: key(z.string().min(1).default("tenant"), "Claim that names the tenant of a token's user."),
    account_mapping: key(
      z.record(z.string().min(1), z.string().min(1)).default({}),
      'The account of the nodes that work of each user runs as, where it is not of the same name; "*@DOMAIN" is everyone of a domain, and "*" their name before the @.',
      { example: '{ "ann@example.com": "ann01", "*@example.com": "*" }' },
    ),
    oidc_hmac_secret: key(
      z.string().min(1).optional(),
      "Secret shared with whoever signs HS256 tokens; for development and emergencies. An oidc_issuer wins over it.",
      { isSecret: true, aliases: ["LATTICE_OIDC_HMAC_SECRET"], example: "a-long-random-text" },
    ),
    tls_cert: key(path().optional(), "Certificate chain of the server, PEM.", {
      reach: "file",
      aliases: ["LATTICE_TLS_CERT"],
      example: "/etc/lattice/tls/server.crt",
    }),
    tls_key: key(path().optional(), "Private key of that certificate, PEM.", {
      reach: "file",
      aliases: ["LATTICE_TLS_KEY"],
      example: "/etc/lattice/tls/server.key",
    }),
    tls_ca: key(path().optional(), "Authorities that client certificates must come from; setting it requires one.", {
      reach: "file",
      aliases: ["LATTICE_TLS_CA"],
      example: "/etc/lattice/tls/ca.crt",
    }),
    bind_network: key(network().default("any"), "Network that the API listeners belong to: hsn, management or any."),
  }),

  storage: z.strictObject({
    s3_endpoint: key(
      urlOrEmpty("http", "https", "s3").default(""),
      "S3 endpoint for logs and checkpoints; empty keeps logs on the nodes only.",
    ),
    nfs_home_path: key(path().default("/home"), "Where people's home folders are mounted on the nodes."),
    local_scratch_path: key(path().default("/scratch"), "Fast local storage on the nodes.", {
      aliases: ["LATTICE_LOCAL_SCRATCH"],
    }),
    vast_api_url: key(url("http", "https").optional(), "VAST management API; setting it turns data staging on.", {
      example: "https://vast.example.com",
    }),
    vast_username: key(z.string().min(1).optional(), "User name for VAST.", { isSecret: true, example: "lattice" }),
    vast_password: key(z.string().min(1).optional(), "Password for VAST.", {
      isSecret: true,
      example: "a-long-random-text",
    }),
    vast_timeout_secs: key(seconds(3_600).default(30), "Longest wait for one answer of VAST."),
  }),

  telemetry: z.strictObject({
    default_mode: key(z.enum(["prod", "debug", "audit"]).default("prod"), "Detail of telemetry: prod, debug or audit."),
    tsdb_endpoint: key(
      urlOrEmpty("http", "https").default(""),
      "VictoriaMetrics base URL: metrics are sent there, and those of services read; empty for neither.",
    ),
    prod_interval_seconds: key(
      seconds(86_400).default(30),
      "Pause between two samples that are sent to tsdb_endpoint.",
    ),
    ebpf_programs_path: key(path().default("/opt/lattice/ebpf"), "Folder of the compiled eBPF programs.", {
      aliases: ["LATTICE_EBPF_PROGRAMS_PATH"],
    }),
  }),
};
