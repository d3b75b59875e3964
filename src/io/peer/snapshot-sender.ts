/**
 * The sending end of a snapshot connection: dials the member, streams the state in checked
 * pieces no faster than it is taken, and is done when the member has it on stable storage.
 */
import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Clock } from "../../ports/clock.ts";
import type { PeerIdentity, SnapshotOrder } from "../../ports/peer-link.ts";
import type { Frame } from "./frames.ts";
import { HandshakeRefused, introduceTo, textOf } from "./handshake.ts";
import { ConnectionEnded, PeerConnection } from "./peer-connection.ts";
import type { PeerTls } from "./peer-network.ts";
import { dial } from "./peer-network.ts";
import { encodeSnapshotHead, encodeSnapshotSeal } from "./peer-records.ts";

/** A snapshot, as the bytes of its file. */
export interface SnapshotSource {
  readonly meta: SnapshotMeta;
  readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** Who sends, and how. */
export interface SnapshotSenderOptions {
  readonly identity: PeerIdentity;
  readonly clock: Clock;
  readonly tls?: PeerTls;
}

const PIECE_BYTES = 256 * 1024;
/** Unsent: beyond it the next piece has to wait. */
const AHEAD_BYTES_MAX = 1024 * 1024;

/** Brings the snapshot to the member. @throws LatticeError SERVER_UNREACHABLE when it did not arrive. */
export async function sendSnapshot(
  { to, address, term }: Pick<SnapshotOrder, "to" | "address" | "term">,
  source: SnapshotSource,
  { identity, clock, tls }: SnapshotSenderOptions,
): Promise<void> {
  const connection = new PeerConnection(dial(address, tls), { clock, queueBytesMax: Number.POSITIVE_INFINITY });
  try {
    const self = { identity: () => identity, admit: (peer: PeerIdentity) => strangerReason(identity, peer) };
    await introduceTo(connection, { to, purpose: "snapshot" }, { clock, self, certificateDefect: () => undefined });
    connection.send("snapshot-begin", encodeSnapshotHead({ term, meta: source.meta }));
    const answer = await stream(connection, source.chunks);
    if (answer.kind === "snapshot-stored") return;
    throw new HandshakeRefused(answer.kind === "refused" ? textOf(answer.payload) : `it answers ${answer.kind}`);
  } catch (error) {
    if (!(error instanceof HandshakeRefused || error instanceof ConnectionEnded)) throw error;
    const message = `the snapshot did not arrive at server ${to} (${address}): ${error.message}`;
    throw new LatticeError(fault("SERVER_UNREACHABLE", message), { cause: error });
  } finally {
    connection.close("the snapshot is over");
  }
}

/** Sends everything and returns the answer, which may come early if the member does not want the rest. */
async function stream(connection: PeerConnection, chunks: SnapshotSource["chunks"]): Promise<Frame> {
  let isAnswered = false;
  const answer = connection.next().finally(() => {
    isAnswered = true;
  });
  // Awaited at the end; until then a lost connection shows when the next piece waits.
  answer.catch(() => undefined);
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length && !isAnswered; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES);
      hash.update(piece);
      length += piece.length;
      connection.send("snapshot-chunk", piece);
      if (connection.unsentBytes > AHEAD_BYTES_MAX) await connection.drained();
    }
    if (isAnswered) return answer;
    await nextTurn();
  }
  connection.send("snapshot-end", encodeSnapshotSeal({ length, sha256: hash.digest() }));
  return answer;
}

/** The link of the raft driver knows the member already; this only tells clusters apart. */
const strangerReason = (identity: PeerIdentity, peer: PeerIdentity): string | undefined =>
  peer.clusterId === identity.clusterId ? undefined : `it belongs to cluster ${peer.clusterId || "(none)"}`;
