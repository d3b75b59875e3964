/** What a server does when it is told to read its configuration anew (SIGHUP): the little that can change while it runs, does. */
import { isLive } from "../config/live.ts";
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
      const waitsForRestart = waitingSections(running, config);
      log.info("the configuration was read anew", { logLevel: config.log.level, waitsForRestart });
    } catch (error) {
      log.error("the configuration cannot be used: the server goes on with the one it has", { error });
    }
    manager.ready(status);
  });
}

/** Returns the sections, as the file names them, that differ and wait for a restart; a secret that changed does not show. */
export function waitingSections(before: ServerConfig, after: ServerConfig): readonly string[] {
  const texts = new Map(Object.entries(before).map(([section, value]) => [section, JSON.stringify(value)]));
  return Object.entries(after)
    .filter(([section, value]) => !isLive([section]) && texts.get(section) !== JSON.stringify(value))
    .map(([section]) => section.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}
