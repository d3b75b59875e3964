/**
 * Where a server's configuration comes from, read as often as wanted: file, environment and
 * flags at once, then the secrets of Vault, which the first reading says how to reach.
 */
import type { ConfigReading, ConfigSources } from "../config/load.ts";
import { readConfig } from "../config/load.ts";
import type { VaultLogin } from "../config/sources/vault-secrets.ts";
import { readVaultSecrets } from "../config/sources/vault-secrets.ts";
import { systemClock } from "../io/system-clock.ts";
import { VaultClient } from "../io/vault/vault-client.ts";
import type { Logger } from "../ports/log.ts";

/** Returns what reads the configuration anew. Vault's login is kept between two readings. */
export function configSource(sources: ConfigSources, log: Logger): () => Promise<ConfigReading> {
  let client: VaultClient | undefined;
  let known = "";
  const clientFor = (login: VaultLogin): VaultClient => {
    const secretId = login.secretId.reveal();
    const name = JSON.stringify({ ...login, secretId });
    if (client !== undefined && name === known) return client;
    client?.close();
    known = name;
    client = new VaultClient({ ...login, secretId }, { clock: systemClock, log });
    return client;
  };
  return async () => {
    const reading = readConfig(sources);
    if (reading.vault === undefined) return reading;
    const vaultClient = clientFor(reading.vault);
    const vault = await readVaultSecrets(reading.vault, (section) => vaultClient.read(section));
    return readConfig({ ...sources, vault });
  };
}
