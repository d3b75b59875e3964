/**
 * What a leader knows of another member's log.
 * Invariant INV-R3: match < next; everything up to match is durable there and agrees with
 * the leader's log; entries from match + 1 to next - 1 are under way.
 *
 *   probe      where the logs agree is not known: one append at a time
 *   replicate  appends follow each other without waiting, up to the window
 *   snapshot   the entries it needs are gone: nothing is sent until the snapshot is there
 */
import type { LogIndex } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import type { MemberId } from "./raft-types.ts";

/** The progress of one member. */
export interface Progress {
  readonly id: MemberId;
  mode: "probe" | "replicate" | "snapshot";
  match: LogIndex;
  next: LogIndex;
  /** A probe is under way. */
  isPaused: boolean;
  /** The round under way when it was sent: the answer to a later one means that it is lost. */
  pausedAt: number;
  /** Its link was lost and it was sent nothing since: it may have started anew, and what it still answers is older. */
  isLost: boolean;
  /** Match when the last heartbeat was answered: no change with entries under way means that some were lost. */
  matchAtBeat: LogIndex;
  /** The highest commit index that it was told. */
  told: LogIndex;
  /** The last round that it answered. */
  round: number;
  /** When the leader last heard from it, in ticks. */
  heardAt: number;
  isRecovering: boolean;
}

/** Returns the progress of a member of whom nothing is known but where the leader's log ends. */
export const startProgress = (id: MemberId, lastIndex: LogIndex, now: number): Progress => ({
  id,
  mode: "probe",
  match: logIndex(0),
  next: logIndex(lastIndex + 1),
  isPaused: false,
  pausedAt: 0,
  isLost: false,
  matchAtBeat: logIndex(0),
  told: logIndex(0),
  round: 0,
  heardAt: now,
  isRecovering: false,
});

/** Goes back to finding out where the logs agree. */
export function probe(progress: Progress, next: LogIndex): void {
  progress.mode = "probe";
  progress.isPaused = false;
  progress.next = logIndex(Math.max(next, progress.match + 1));
}
