/**
 * The receiving end of a snapshot connection: writes what comes to a file beside its place,
 * checks length and hash, makes it durable, puts it in place and only then confirms. What
 * was broken off is removed; the sender starts again.
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Term } from "../../base/brand.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { ReceivedSnapshot } from "../../ports/peer-link.ts";
import type { Frame } from "./frames.ts";
import { ConnectionEnded, type PeerConnection } from "./peer-connection.ts";
import type { SnapshotHead } from "./peer-records.ts";
import { decodeSnapshotHead, decodeSnapshotSeal } from "./peer-records.ts";

/** A snapshot that has arrived, and whose leader sent it. */
export interface Arrival {
  readonly term: Term;
  readonly snapshot: ReceivedSnapshot;
}

interface Receiving {
  readonly term: Term;
  readonly connection: PeerConnection;
  /** Resolves when its file has been put in place or removed. */
  readonly over: Promise<unknown>;
}

/** Receives one snapshot at a time. */
export class SnapshotReceiver {
  readonly #pathOf: (meta: SnapshotMeta) => string;
  #receiving: Receiving | undefined;

  /** `pathOf` says where a whole snapshot belongs. */
  constructor(pathOf: (meta: SnapshotMeta) => string) {
    this.#pathOf = pathOf;
  }

  /**
   * Takes the snapshot that `connection` brings; undefined when it does not come whole.
   * A newer one takes the place of one under way, unless its leader's term is lower.
   */
  async receive(connection: PeerConnection): Promise<Arrival | undefined> {
    try {
      const head = headOf(await connection.next());
      const before = this.#receiving;
      if (before !== undefined && before.term > head.term) {
        throw new Refused(`a snapshot of term ${before.term} is on its way already`);
      }
      before?.connection.close("a newer snapshot comes instead");
      const work = (before?.over ?? Promise.resolve()).then(() => this.#write(connection, head));
      const receiving = { term: head.term, connection, over: work.catch(() => undefined) };
      this.#receiving = receiving;
      void receiving.over.then(() => {
        if (this.#receiving === receiving) this.#receiving = undefined;
      });
      return { term: head.term, snapshot: await work };
    } catch (error) {
      if (error instanceof ConnectionEnded) return undefined;
      if (!(error instanceof Error)) throw error;
      connection.send("refused", new TextEncoder().encode(error.message));
      connection.finish(error.message);
      return undefined;
    }
  }

  async #write(connection: PeerConnection, { meta }: SnapshotHead): Promise<ReceivedSnapshot> {
    const path = this.#pathOf(meta);
    const draft = `${path}.part`;
    try {
      const file = await open(draft, "w", 0o600);
      try {
        await copyChecked(connection, file);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
      await syncFolder(dirname(path));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
    return { meta, path };
  }
}

/** Thrown when the sender is told why. */
class Refused extends Error {}

function headOf({ kind, payload }: Frame): SnapshotHead {
  const head = kind === "snapshot-begin" ? decodeSnapshotHead(payload) : undefined;
  if (head === undefined) throw new Refused("it does not begin as a snapshot does");
  return head;
}

/** The next frame is taken when the last one is written: the sender goes no faster than the disk. */
async function copyChecked(connection: PeerConnection, file: FileHandle): Promise<void> {
  const hash = createHash("sha256");
  let length = 0;
  for (;;) {
    const { kind, payload } = await connection.next();
    if (kind === "snapshot-end") {
      const seal = decodeSnapshotSeal(payload);
      if (seal?.length === length && hash.digest().equals(seal.sha256)) return;
      throw new Refused("it is not what was sent: its length or hash is wrong");
    }
    if (kind !== "snapshot-chunk") throw new Refused(`a ${kind} frame is out of place`);
    hash.update(payload);
    for (let at = 0; at < payload.length; ) at += (await file.write(payload, at)).bytesWritten;
    length += payload.length;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
