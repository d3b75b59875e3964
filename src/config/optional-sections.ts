/** The sections that a configuration file may leave out. */
import { z } from "zod";
import { BACKFILL_ORDERS, BACKFILLS, DEFAULT_POLICY, ORDERS } from "../core/scheduler/policy.ts";
import { WEIGHT_PROFILE_NAMES } from "../core/scheduler/score/weight-profiles.ts";
import { address, backupLocation, count, key, network, path, seconds, url, urlOrEmpty } from "./key.ts";

/** The sections that a file may leave out. */
export const OPTIONAL = {
  log: z.strictObject({
    level: key(
      z.enum(["debug", "info", "warn", "error"]).default("info"),
      "Least level of log lines that are written.",
    ),
  }),

  node_agent: z.strictObject({
    heartbeat_interval_seconds: key(seconds(3_600).default(10), "How often agents send a heartbeat."),
    heartbeat_timeout_seconds: key(seconds(86_400).default(30), "Silence after which a node is Degraded."),
    grace_period_seconds: key(seconds(86_400).default(120), "Further silence after which a node is Down."),
    sensitive_grace_period_seconds: key(
      seconds(604_800).default(600),
      "The same for a node that holds a sensitive allocation.",
    ),
    bind_network: key(network().default("any"), "Network that agents listen on: hsn, management or any."),
  }),

  backup: z.strictObject({
    location: key(
      backupLocation().optional(),
      "Where backups are kept: a folder, or s3://BUCKET/PREFIX; each cluster has its own.",
      { example: "/var/lib/lattice/backups", defaultInWords: "the folder backups beside quorum.data_dir" },
    ),
    interval_seconds: key(
      count(0, 31_536_000).default(0),
      "Pause between two scheduled backups, which the leader makes; 0 for none.",
    ),
    keep: key(count(1, 100_000).default(48), "Newest backups that a scheduled one leaves; older ones are removed."),
    s3_endpoint: key(urlOrEmpty("http", "https").default(""), "S3 server of an s3:// location; empty for Amazon's."),
    s3_region: key(z.string().default(""), "Region of the bucket; empty for AWS_REGION, or us-east-1."),
    s3_access_key_id: key(
      z.string().min(1).optional(),
      "Access key for the bucket; unset for what AWS_ACCESS_KEY_ID and the like say.",
      { isSecret: true, example: "an-access-key-id" },
    ),
    s3_secret_access_key: key(z.string().min(1).optional(), "Secret of that key.", {
      isSecret: true,
      example: "a-long-random-text",
    }),
  }),

  audit: z.strictObject({
    location: key(
      backupLocation().optional(),
      "Where archives of the audit log are kept: a folder, or s3://BUCKET/PREFIX with the keys of backup.",
      { example: "/var/lib/lattice/audit", defaultInWords: "the folder audit beside quorum.data_dir" },
    ),
    archive_after_days: key(
      count(0, 36_500).default(0),
      "Age at which entries move to archives by themselves; 0 for by hand only.",
    ),
  }),

  network: z.strictObject({
    vni_pool_start: key(count(1, 65_535).default(100), "First virtual network id of the Slingshot pool."),
    vni_pool_end: key(count(1, 65_535).default(4_095), "Last virtual network id of the Slingshot pool."),
  }),

  checkpoint: z.strictObject({
    evaluation_interval_seconds: key(seconds(86_400).default(30), "Pause between two looks at what to checkpoint."),
    checkpoint_timeout_seconds: key(
      seconds(86_400).default(300),
      "Time that work has to save its state when it makes room for other work.",
    ),
    max_deferral_seconds: key(seconds(86_400).default(60), "Longest time that work may put a checkpoint off."),
  }),

  scheduling: z.strictObject({
    cycle_interval_seconds: key(seconds(3_600).default(5), "Longest pause between two scheduling passes."),
    order: key(
      z.enum(ORDERS).default(DEFAULT_POLICY.order),
      "What ranks the queue: fcfs is by preemption class and submission, score by the weighed factors.",
    ),
    backfill: key(
      z.enum(BACKFILLS).default(DEFAULT_POLICY.backfill),
      "What may overtake: nothing, what does not delay the first that wait, or what delays none of them.",
    ),
    backfill_depth: key(
      count(1, 1_000_000).default(DEFAULT_POLICY.depth),
      "Waiting allocations that one pass looks at.",
    ),
    reservations: key(
      count(1, 10_000).default(DEFAULT_POLICY.reservations),
      "How many of the first that wait are promised a start by backfill easy.",
    ),
    backfill_order: key(
      z.enum(BACKFILL_ORDERS).default(DEFAULT_POLICY.backfillOrder),
      "Order in which it is tried what may overtake: by rank, by walltime, or tiny ones and then the largest.",
    ),
    power_cap_watts: key(
      count(0, 1_000_000_000).default(0),
      "Electric power that all running work may draw together, by what nodes say they draw; 0 for no cap.",
    ),
    storage_bandwidth_cap_mbps: key(
      count(0, 1_000_000_000).default(0),
      "Storage bandwidth in MB/s that all running work may ask for together; 0 for no cap.",
    ),
    weight_profile: key(
      z.enum(WEIGHT_PROFILE_NAMES).default("default"),
      "Weights of the scoring factors in vClusters that were not given their own.",
    ),
    usage_half_life_hours: key(
      count(1, 87_600).default(168),
      "Hours after which use counts half as much for fair share.",
    ),
    preemption_enabled: key(
      z.boolean().default(true),
      "Have running work make room for work of a higher class that cannot start otherwise.",
    ),
    preemption_class_distance: key(
      count(1, 10).default(1),
      "How many classes lower work must be to make room for other work.",
    ),
    preemption_count_max: key(
      count(1, 1_000).default(10),
      "How often one allocation makes room at most; after that it runs to its end.",
    ),
    preemption_spared_vclusters: key(
      z.array(z.string().min(1)).default([]),
      "Names of vClusters whose work makes room for nobody.",
      { example: '["production"]' },
    ),
    autoscale_interval_seconds: key(seconds(86_400).default(60), "Pause between two measurements of a service."),
    autoscale_up_seconds: key(
      count(0, 86_400).default(120),
      "How long the metric of a service is above its target before it gets a node more.",
    ),
    autoscale_down_seconds: key(
      count(0, 86_400).default(300),
      "How long the metric is below half of the target before the service gives a node back.",
    ),
    autoscale_cooldown_seconds: key(
      count(0, 86_400).default(180),
      "How long a service is left alone after such a change.",
    ),
    budget_period_days: key(count(1, 3_660).default(90), "Days over which node-hour and GPU-hour budgets count."),
  }),

  accounting: z.strictObject({
    enabled: key(z.boolean().default(false), "Report usage to Waldur."),
    waldur_api_url: key(url("http", "https").optional(), "Base URL of the Waldur API.", {
      example: "https://waldur.example.com",
    }),
    waldur_token: key(z.string().min(1).optional(), "Token for the Waldur API.", {
      isSecret: true,
      example: "a-long-random-text",
    }),
    push_interval_seconds: key(seconds(86_400).default(60), "Pause between two reports."),
    buffer_size: key(count(1, 10_000_000).default(1_000), "Usage records kept while Waldur does not answer."),
  }),

  rate_limit: z.strictObject({
    requests_per_second: key(
      count(0, 1_000_000).default(200),
      "Requests a user may make in a second, at each server; 0 for any number.",
    ),
    request_burst: key(count(1, 1_000_000).default(1_000), "Requests a user may make at once after a pause."),
    attach_max_concurrent: key(count(1, 100_000).default(5), "Attached terminals a user may hold at a time."),
    stream_logs_max_concurrent: key(count(1, 100_000).default(10), "Log streams a user may hold at a time."),
    query_metrics_per_minute: key(count(1, 1_000_000).default(60), "Metric queries a user may make in a minute."),
    stream_metrics_max_concurrent: key(count(1, 100_000).default(5), "Metric streams a user may hold at a time."),
    diagnostics_per_minute: key(count(1, 1_000_000).default(10), "Diagnostics a user may ask for in a minute."),
    compare_per_minute: key(count(1, 1_000_000).default(10), "Metric comparisons a user may ask for in a minute."),
  }),

  federation: z.strictObject({
    sovra_endpoint: key(url("http", "https").optional(), "Base URL of Sovra.", {
      example: "https://sovra.example.com",
    }),
    workspace_id: key(z.string().min(1).optional(), "Workspace of this site at Sovra.", { example: "site-a" }),
    sovra_key_path: key(path().optional(), "File with the key that signs requests to Sovra.", {
      reach: "file",
      aliases: ["LATTICE_SOVRA_KEY_PATH"],
      example: "/etc/lattice/sovra.key",
    }),
    broker_address: key(address().optional(), "Where the broker of this site listens.", { example: "0.0.0.0:9100" }),
    peers: key(
      z
        .array(
          z.strictObject({
            name: z.string().min(1),
            broker_address: address(),
            sovra_workspace_id: z.string().min(1).optional(),
          }),
        )
        .default([]),
      "The other sites, each with its name, broker address and Sovra workspace.",
      { example: '[{ name: "site-b", broker_address: "broker.site-b.example.com:9100" }]' },
    ),
  }),

  compat: z.strictObject({
    set_slurm_env: key(z.boolean().default(true), "Give work SLURM_* variables besides LATTICE_*."),
    partition_mapping: key(
      z.record(z.string(), z.string().min(1)).default({}),
      "The vCluster that stands for each Slurm partition.",
      { example: '{ gpu: "ml-training" }' },
    ),
    qos_mapping: key(
      z.record(z.string(), count(0, 10)).default({}),
      "Preemption class, 0 to 10, that stands for each Slurm QOS.",
      { example: "{ high: 8 }" },
    ),
  }),

  identity: z.strictObject({
    spire_socket: key(
      path().default("/run/spire/agent.sock"),
      "For agents: socket of the SPIRE agent's Workload API.",
      {
        aliases: ["LATTICE_SPIRE_SOCKET"],
      },
    ),
    ca_cert: key(path().optional(), "Certificate of the authority with which the servers sign those of agents, PEM.", {
      reach: "file",
      example: "/etc/lattice/tls/ca.crt",
    }),
    ca_key: key(z.string().min(1).optional(), "Private key of that authority, the same on every server, PEM.", {
      isSecret: true,
      example: "-----BEGIN PRIVATE KEY-----…",
    }),
    signing_address: key(address().optional(), "Where nodes with a join token get their first certificate.", {
      example: "0.0.0.0:50053",
    }),
    signing_endpoint: key(
      url("http", "https").optional(),
      "For agents: where they join, the signing_address of a server.",
      {
        example: "https://lattice-01:50053",
      },
    ),
    bootstrap_cert: key(path().optional(), "For agents: certificate until SPIRE gives one, PEM.", {
      reach: "file",
      aliases: ["LATTICE_BOOTSTRAP_CERT"],
      example: "/etc/lattice/tls/agent.crt",
    }),
    bootstrap_key: key(path().optional(), "For agents: private key of that certificate, PEM.", {
      reach: "file",
      aliases: ["LATTICE_BOOTSTRAP_KEY"],
      example: "/etc/lattice/tls/agent.key",
    }),
    bootstrap_ca: key(path().optional(), "For agents: authorities that the servers' certificates come from, PEM.", {
      reach: "file",
      aliases: ["LATTICE_BOOTSTRAP_CA"],
      example: "/etc/lattice/tls/ca.crt",
    }),
    cert_lifetime_seconds: key(seconds().default(259_200), "Lifetime of certificates that the servers sign."),
  }),

  vault: z.strictObject({
    address: key(
      url("http", "https").optional(),
      "Base URL of Vault; setting it makes Vault the source of all secrets.",
      {
        example: "https://vault.example.com:8200",
      },
    ),
    role_id: key(z.string().min(1).optional(), "AppRole role id.", { example: "lattice-server" }),
    prefix: key(z.string().min(1).default("secret/data/lattice"), "Path below which the secrets are kept."),
    secret_id_env: key(
      z.string().min(1).default("VAULT_SECRET_ID"),
      "Environment variable with the AppRole secret id.",
    ),
    tls_ca_path: key(path().optional(), "Authority of Vault's certificate, PEM.", {
      reach: "file",
      example: "/etc/lattice/tls/vault-ca.crt",
    }),
    timeout_secs: key(seconds(600).default(10), "Longest wait for one answer of Vault."),
  }),
};
