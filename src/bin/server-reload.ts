/** What a server does when it is told to read its configuration anew (SIGHUP): the little that can change while it runs, does. */
import type { LoadedConfig } from "../config/load.ts";
import type { LogLevel, ServerConfig } from "../config/server-config.ts";
import type { ServiceManager } from "../io/systemd/service-manager.ts";
import type { Logger } from "../ports/log.ts";

/** What a server can be told anew. */
export interface Reloading {
  /** @throws LatticeError INVALID_CONFIG. */
  readonly reread: () => Promise<LoadedConfig>;
  readonly setLogLevel: (level: LogLevel) => void;
}

interface Told extends Reloading {
  readonly useScheduling: (config: ServerConfig) => void;
  readonly manager: ServiceManager;
  readonly status: string;
  /** Takes the secrets of a fresh configuration into use. */
  readonly useSecrets: (config: ServerConfig) => void;
}

/** What changes at once; the rest waits for a restart. */
const LIVE_SECTIONS: readonly string[] = ["log", "scheduling"];

/** Obeys SIGHUP. `running` is the configuration that the server was started with. */
export function obeyHangUp(
  running: ServerConfig,
  log: Logger,
  { reread, setLogLevel, useScheduling, useSecrets, manager, status }: Told,
): void {
  process.on("SIGHUP", async () => {
    manager.reloading();
    try {
      const { config } = await reread();
      setLogLevel(config.log.level);
      useScheduling(config);
      useSecrets(config);
      const waitsForRestart = changedSections(running, config).filter((section) => !LIVE_SECTIONS.includes(section));
      log.info("the configuration was read anew", { logLevel: config.log.level, waitsForRestart });
    } catch (error) {
      log.error("the configuration cannot be used: the server goes on with the one it has", { error });
    }
    manager.ready(status);
  });
}

/** Returns the names of the sections that differ; a secret that changed does not show. */
function changedSections(before: ServerConfig, after: ServerConfig): readonly string[] {
  const texts = new Map(Object.entries(before).map(([section, value]) => [section, JSON.stringify(value)]));
  return Object.entries(after)
    .filter(([section, value]) => texts.get(section) !== JSON.stringify(value))
    .map(([section]) => section);
}
