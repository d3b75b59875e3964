/** Lets another server lead before this one stops, so that nobody has to wait for an election. */
import type { Clock } from "../../../ports/clock.ts";
import type { Logger } from "../../../ports/log.ts";
import type { Replica } from "../replica.ts";

/** A stop is not held up for longer. */
const WAIT_MAX_MS = 1_000;
/** Who was not heard for so long may be gone. */
const ALIVE_MS = 1_000;

/** What a hand-over works with. */
export interface HandOverParts {
  readonly replica: Replica;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Hands leadership to the voter that has most of the log, if this server leads and there is one. */
export async function handOver({ replica, clock, log }: HandOverParts): Promise<void> {
  if (!replica.isLeader) return;
  const [heir] = replica.status.members
    .filter(({ role, lastContactMs }) => role === "follower" && (lastContactMs ?? ALIVE_MS) < ALIVE_MS)
    .toSorted((a, b) => (b.matchIndex ?? 0) - (a.matchIndex ?? 0));
  if (!heir) return;
  const late = Promise.withResolvers<void>();
  const cancel = clock.after(WAIT_MAX_MS, late.resolve);
  try {
    await Promise.race([replica.consensus.transfer(heir.id), late.promise]);
  } catch (error) {
    log.info("leadership was not handed over; the others elect", { to: heir.id, error });
  } finally {
    cancel();
  }
}
