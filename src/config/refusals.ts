/**
 * Settings with which this build must not start, because passing them over would be
 * unsafe: clear text where TLS was asked for. `config check` says the same sentences.
 */
import type { ConfigValues } from "./schema.ts";

/** Returns one sentence per setting that this build refuses to start with. */
export function refusalsOf(values: ConfigValues): readonly string[] {
  const { api, vault } = values;
  const refusals: string[] = [];
  for (const name of ["tls_cert", "tls_key", "tls_ca"] as const) {
    if (api[name] === undefined) continue;
    refusals.push(`api.${name}: TLS is not active in this build, and the server would talk in clear text; remove it`);
  }
  if (vault.address !== undefined) {
    refusals.push("vault.address: Vault is not active in this build; give secrets by environment or file instead");
  }
  return refusals;
}
