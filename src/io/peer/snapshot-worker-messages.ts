/** What the main thread asks of a snapshot Worker; it answers with the index, or a fault (io/ask-worker). */
import type { PeerIdentity, SnapshotOrder } from "../../ports/peer-link.ts";
import type { PeerTls } from "./peer-network.ts";

/** Whose state is sent, and how. */
export interface SnapshotOrigin {
  readonly dataDir: string;
  readonly identity: PeerIdentity;
  readonly tls?: PeerTls;
}

/** From the main thread. */
export interface SnapshotQuestion {
  readonly origin: SnapshotOrigin;
  readonly order: SnapshotOrder;
}
