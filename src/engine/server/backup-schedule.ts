/** The leader's clockwork for backups: one every interval, counted from the newest there is, and no more than are kept. */
import { backupPath, surplusBackups } from "../../core/backup/backup-name.ts";
import type { Backups } from "../../ports/backups.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { Replica } from "./replica.ts";
import type { ServerSettings } from "./settings.ts";

/** How often it is looked whether a backup is due, at most; also the pause after a failure. */
const LOOK_PERIOD_MS = 60_000;

/** What the clockwork works with. */
export interface BackupScheduleParts {
  readonly version: string;
  readonly backups: Backups;
  readonly replica: Replica;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: ServerSettings;
}

export class BackupSchedule {
  readonly #parts: BackupScheduleParts;
  #timer: CancelTimer | undefined;
  #isBusy = false;

  constructor(parts: BackupScheduleParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, settings } = this.#parts;
    if (settings.backupIntervalMs === 0) return;
    this.#timer = clock.every(Math.min(LOOK_PERIOD_MS, settings.backupIntervalMs), () => void this.look());
    this.#parts.replica.listen({ onRole: () => void this.look() });
  }

  stop(): void {
    this.#timer?.();
  }

  /** Makes a backup when one is due, and removes those beyond what is kept. */
  async look(): Promise<void> {
    const { replica, log, backups } = this.#parts;
    if (this.#isBusy || !replica.isLeader) return;
    this.#isBusy = true;
    try {
      await this.#round();
    } catch (error) {
      log.error("the scheduled backup failed; it is tried again", { error, location: backups.location });
    } finally {
      this.#isBusy = false;
    }
  }

  async #round(): Promise<void> {
    const { version, backups, replica, clock, log, settings } = this.#parts;
    const [newest] = await backups.list();
    const now = clock.now();
    if (newest !== undefined && now - newest.createdAt < settings.backupIntervalMs) return;
    if (!replica.isLeader) return;
    await replica.flush();
    const { path, bytes, manifest } = await backups.create({ at: now, version });
    log.info("scheduled backup made", { path, bytes, index: manifest.index });
    const prefix = backupPath(backups.location, "").length;
    const names = (await backups.list()).map((file) => file.path.slice(prefix));
    const surplus = surplusBackups(names, settings.backupsKept);
    if (surplus.length === 0) return;
    await backups.remove(surplus);
    log.info("old backups removed", { names: surplus, kept: settings.backupsKept });
  }
}
