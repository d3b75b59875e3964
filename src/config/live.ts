/**
 * THE list of what a server that runs takes up from a configuration that is read anew:
 * whole sections and single keys. The reference marks them, and what else changed waits
 * for a restart.
 */

/** Sections and keys that a reload brings into use. */
export const LIVE: readonly string[] = [
  "log",
  "scheduling",
  "api.oidc_hmac_secret",
  "backup.s3_access_key_id",
  "backup.s3_secret_access_key",
];

/** Whether a reload brings the key at a path, or all of a section, into use. */
export const isLive = (path: readonly string[]): boolean =>
  LIVE.includes(path.join(".")) || LIVE.includes(path[0] ?? "");
