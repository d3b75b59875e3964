/**
 * THE schema of the configuration: every section and key, in the order in which
 * config/production.yaml and docs/reference/config.md show them. Types, bounds and
 * defaults are the schema's own; meanings are in KEY_FACTS.
 */
import { z } from "zod";
import { KEY_FACTS, type KeyFacts, key } from "./key.ts";
import { OPTIONAL } from "./optional-sections.ts";
import { REQUIRED } from "./required-sections.ts";

/** Sections that a configuration file must name. */
export const REQUIRED_SECTIONS: readonly string[] = Object.keys(REQUIRED);

/** What each section is about. */
export const SECTION_MEANINGS: Readonly<Record<string, string>> = {
  quorum: "The replicated log: this member, the others, where the state is kept.",
  api: "Listeners, tokens and certificates of the API.",
  storage: "Where data lives: S3, home folders, scratch, VAST.",
  telemetry: "Metrics of work and nodes.",
  log: "The server's own log.",
  node_agent: "What the servers expect of agents.",
  backup: "Backups of the state: where, how often, how many.",
  audit: "Archives of the audit log.",
  network: "Slingshot virtual networks.",
  checkpoint: "When work is asked to save its state.",
  scheduling: "How often and how far the scheduler looks.",
  accounting: "Billing through Waldur.",
  rate_limit: "What one user may ask for at a time.",
  federation: "Other sites.",
  compat: "What Slurm users expect.",
  identity: "Certificates of agents and servers.",
  vault: "Where secrets are kept.",
};

/** The whole configuration as the file, the environment and the flags give it. */
export const CONFIG_SCHEMA = z.strictObject({
  role: key(
    z.enum(["QuorumMember", "ComputeNode", "Combined"]).default("Combined"),
    "What this machine does: QuorumMember, ComputeNode or Combined.",
  ),
  quorum: REQUIRED.quorum.prefault({}),
  api: REQUIRED.api.prefault({}),
  storage: REQUIRED.storage.prefault({}),
  telemetry: REQUIRED.telemetry.prefault({}),
  log: OPTIONAL.log.prefault({}),
  node_agent: OPTIONAL.node_agent.prefault({}),
  backup: OPTIONAL.backup.prefault({}),
  audit: OPTIONAL.audit.prefault({}),
  network: OPTIONAL.network.prefault({}),
  checkpoint: OPTIONAL.checkpoint.prefault({}),
  scheduling: OPTIONAL.scheduling.prefault({}),
  accounting: OPTIONAL.accounting.prefault({}),
  rate_limit: OPTIONAL.rate_limit.prefault({}),
  federation: OPTIONAL.federation.prefault({}),
  compat: OPTIONAL.compat.prefault({}),
  identity: OPTIONAL.identity.prefault({}),
  vault: OPTIONAL.vault.prefault({}),
});

/** Every value, with the defaults filled in. */
export type ConfigValues = z.output<typeof CONFIG_SCHEMA>;

/** One key: where it is and what is known of it. */
export interface KeyEntry {
  /** "section.key", or the key alone at the top level. */
  readonly name: string;
  readonly path: readonly string[];
  readonly facts: KeyFacts;
  readonly schema: z.ZodType;
}

/** Every key, in order. */
export const CONFIG_KEYS: readonly KeyEntry[] = Object.entries(CONFIG_SCHEMA.shape).flatMap(([name, schema]) =>
  schema instanceof z.ZodPrefault
    ? Object.entries(schema.unwrap().shape).map(([own, inner]) => entry([name, own], inner))
    : [entry([name], schema)],
);

/** Every section's name, in order. */
export const SECTIONS: readonly string[] = Object.keys(SECTION_MEANINGS);

/** Returns the environment variable that sets a key. */
export const environmentName = (path: readonly string[]): string => `LATTICE_${path.join("_").toUpperCase()}`;

function entry(path: readonly string[], schema: z.ZodType): KeyEntry {
  const name = path.join(".");
  const facts = KEY_FACTS.get(schema);
  if (facts === undefined) throw new TypeError(`the configuration key ${name} has no meaning in KEY_FACTS`);
  return { name, path, facts, schema };
}
