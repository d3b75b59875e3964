/** Brings the state on disk to other members, without holding up the loop that owns it. */
import type { LogIndex } from "../base/brand.ts";
import type { SnapshotOrder } from "./peer-link.ts";

/** The snapshots of one server. */
export interface Snapshots {
  /**
   * Streams the state on disk as it is at this moment to the member that needs it; resolves
   * with its index once that member has it whole and durable. @throws LatticeError when not.
   */
  send(order: SnapshotOrder): Promise<LogIndex>;
}
