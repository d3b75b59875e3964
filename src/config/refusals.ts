/**
 * Settings with which this build must not start, because passing them over would be
 * unsafe. `config check` says the same sentences.
 */
import type { ConfigValues } from "./schema.ts";

/** Returns one sentence per setting that this build refuses to start with. */
export function refusalsOf(values: ConfigValues): readonly string[] {
  const { vault } = values;
  const refusals: string[] = [];
  if (vault.address !== undefined) {
    refusals.push("vault.address: Vault is not active in this build; give secrets by environment or file instead");
  }
  return refusals;
}
