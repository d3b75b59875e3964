/**
 * What a restore changes in a state: it starts a later epoch, so that agents obey it and
 * no older server; and it skips short ids, so that none is given twice. Everything else
 * stays as the backup has it, the id of the cluster too, by which its agents know it.
 */
import type { Meta } from "../state/state.ts";

/** More ids than a cluster gives out between two backups. */
const SHORT_IDS_SKIPPED = 1_000_000;

/** What the restore knows besides the backup. */
export interface RestoreContext {
  /** Seconds since 1970, so that epochs grow also where the replaced data is gone. */
  readonly seconds: number;
  /** Of the data that is replaced, as far as it is there. */
  readonly replaced?: Pick<Meta, "restoreEpoch" | "nextShortId">;
}

/** Returns the meta row that the restored state starts with. */
export function restoredMeta(meta: Meta, { seconds, replaced }: RestoreContext): Meta {
  const used = Math.max(meta.nextShortId, replaced?.nextShortId ?? 0);
  const nextShortId = Math.ceil((used + SHORT_IDS_SKIPPED) / SHORT_IDS_SKIPPED) * SHORT_IDS_SKIPPED;
  const restoreEpoch = Math.max(meta.restoreEpoch + 1, (replaced?.restoreEpoch ?? 0) + 1, Math.floor(seconds));
  return { ...meta, restoreEpoch, nextShortId };
}
