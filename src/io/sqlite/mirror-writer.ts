/**
 * The one writer of `state.db`: rows and the end of the log they reflect, in one
 * transaction. Every call blocks its thread, so a server has it in a Worker
 * (worker-mirror.ts). The file is consistent after a crash of the process or the machine,
 * but may be behind the log, except for what was written before the last sync: DESIGN.md.
 */
import { Database, type Statement } from "bun:sqlite";
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { canonicalEncode } from "../../base/canonical-encode.ts";
import type { Hash64 } from "../../base/hash.ts";
import { addHash, hashHex, subtractHash } from "../../base/hash.ts";
import type { LatticeError } from "../../core/domain/errors.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";
import type { ReceivedSnapshot } from "../../ports/peer-link.ts";
import { buildStateDraft } from "../snapshot/build-state.ts";
import { prepareDataDir } from "./data-dir.ts";
import { putDraftInPlace, syncDir } from "./database-file.ts";
import type { MirrorMeta } from "./mirror-file.ts";
import { checkedText, createMirrorFile, hashRow, inspectMirror, parseHash } from "./mirror-file.ts";
import { sqliteError } from "./sqlite-error.ts";
import { MIRROR_WRITES } from "./state-mirror-sql.ts";

/** WAL pages after which a commit copies them back by itself; sync usually comes long before. */
const AUTO_CHECKPOINT_PAGES = 16_384;
const CACHE_KIB = 32_768;

/** Where the state is and whose it is. */
export interface MirrorPlace {
  readonly dir: string;
  /** Empty while the member waits to join a cluster. */
  readonly clusterId: string;
}

/** Opens the state for writing, or makes an empty one. Throws LatticeError CORRUPT_LOG or INTERNAL. */
export function openMirrorWriter({ dir, clusterId }: MirrorPlace): MirrorWriter {
  const path = join(dir, "state.db");
  prepareDataDir(dir);
  if (!existsSync(path)) createMirrorFile(path, clusterId);
  const meta = inspectMirror(path, clusterId);
  try {
    return new MirrorWriter(path, meta);
  } catch (error) {
    throw sqliteError(path, error);
  }
}

export class MirrorWriter {
  readonly #path: string;
  #file: OpenFile;
  #staged: Row[] = [];
  /** The file that was replaced: the disk frees it when the last one closes it, which may take long. */
  #replaced: number | undefined;
  /** Set by the first failed write: rows would be missing ever after. */
  #failure: LatticeError | undefined;

  constructor(path: string, meta: MirrorMeta) {
    this.#path = path;
    this.#file = new OpenFile(path, meta);
  }

  /** The state is of this cluster, which its member has joined, from the next write on. */
  adopt(clusterId: string): void {
    this.#file.clusterId = clusterId;
  }

  /** Keeps rows for the next write. */
  stage(rows: readonly Row[]): void {
    for (const row of rows) this.#staged.push(row);
  }

  /** Writes the staged rows, these, and the end of the log that they all reflect. */
  write(rows: readonly Row[], applied: SnapshotMeta): void {
    this.#letGo();
    this.stage(rows);
    this.#attempt(() => this.#file.write(this.#staged, applied));
    this.#staged = [];
  }

  /** Returns once everything written is on stable storage. */
  sync(): void {
    this.#attempt(() => this.#file.sync());
  }

  /**
   * Puts the state of a snapshot in the place of this one, removes the snapshot and
   * returns the end of the log that the state reflects. When the snapshot cannot be used,
   * it throws LatticeError CORRUPT_LOG and this state stays.
   */
  replace({ path: source, meta }: ReceivedSnapshot): SnapshotMeta {
    const expected = { path: source, clusterId: this.#file.clusterId, index: meta.index };
    const { clusterId, applied } = buildStateDraft(this.#path, expected);
    this.#staged = [];
    this.#attempt(() => {
      this.#letGo();
      this.#file.close();
      this.#replaced = openSync(this.#path, "r");
      putDraftInPlace(this.#path);
      this.#file = new OpenFile(this.#path, inspectMirror(this.#path, clusterId));
      rmSync(source, { force: true });
      syncDir(dirname(source));
    });
    return applied;
  }

  close(): void {
    this.#letGo();
    this.#file.close();
  }

  /** By now the owner reads the file that took its place. */
  #letGo(): void {
    if (this.#replaced !== undefined) closeSync(this.#replaced);
    this.#replaced = undefined;
  }

  #attempt(work: () => void): void {
    if (this.#failure) throw this.#failure;
    try {
      work();
    } catch (error) {
      this.#failure = sqliteError(this.#path, error);
      throw this.#failure;
    }
  }
}

/** The connection to one file. */
class OpenFile {
  readonly #db: Database;
  clusterId: string;
  #meta: MirrorMeta;
  #liveHash: Hash64;
  readonly #writes: { readonly [K in keyof typeof MIRROR_WRITES]: Statement };
  readonly #hashOf: Statement<{ hash: string }, [string, string]>;

  constructor(path: string, meta: MirrorMeta) {
    const db = new Database(path, { create: false, readwrite: true });
    db.run("PRAGMA synchronous = NORMAL");
    db.run(`PRAGMA cache_size = -${CACHE_KIB}`);
    db.run(`PRAGMA wal_autocheckpoint = ${AUTO_CHECKPOINT_PAGES}`);
    this.#db = db;
    this.clusterId = meta.clusterId;
    this.#meta = meta;
    this.#liveHash = parseHash(meta.liveHash);
    const prepare = (name: keyof typeof MIRROR_WRITES): Statement => db.prepare(MIRROR_WRITES[name]);
    this.#writes = {
      putLive: prepare("putLive"),
      putArchived: prepare("putArchived"),
      putHistory: prepare("putHistory"),
      dropLive: prepare("dropLive"),
      dropArchived: prepare("dropArchived"),
      dropHistory: prepare("dropHistory"),
      setMeta: prepare("setMeta"),
    };
    this.#hashOf = db.prepare("SELECT hash FROM live WHERE tbl = ? AND id = ?");
  }

  write(rows: readonly Row[], applied: SnapshotMeta): void {
    this.#transact(() => {
      for (const row of rows) this.#writeRow(row);
      return { clusterId: this.clusterId, applied, liveHash: hashHex(this.#liveHash) };
    });
  }

  sync(): void {
    // A commit with FULL puts the whole WAL on stable storage, the earlier commits in it too.
    this.#db.run("PRAGMA synchronous = FULL");
    try {
      this.#transact(() => this.#meta);
    } finally {
      this.#db.run("PRAGMA synchronous = NORMAL");
    }
    // Keeps the WAL short; it is a matter of speed, and a reader may hold it up.
    this.#db.run("PRAGMA wal_checkpoint(PASSIVE)");
  }

  close(): void {
    for (const statement of Object.values(this.#writes)) statement.finalize();
    this.#hashOf.finalize();
    this.#db.close();
  }

  #writeRow({ table, id, text, isLive }: Row): void {
    const writes = this.#writes;
    const before = this.#hashOf.get(table, id)?.hash;
    if (before !== undefined) this.#liveHash = subtractHash(this.#liveHash, parseHash(before));
    if (text !== undefined && isLive) {
      const hash = hashRow(table, id, text);
      writes.putLive.run(table, id, text, hashHex(hash));
      this.#liveHash = addHash(this.#liveHash, hash);
      return;
    }
    if (before !== undefined) writes.dropLive.run(table, id);
    if (text !== undefined) {
      writes.putArchived.run(table, id, text, hashHex(hashRow(table, id, text)));
      if (table === "allocations") writes.putHistory.run(id, text);
    } else if (before === undefined) {
      writes.dropArchived.run(table, id);
      if (table === "allocations") writes.dropHistory.run(id);
    }
  }

  /** Runs `change` and writes the meta that it returns, all in one transaction. */
  #transact(change: () => MirrorMeta): void {
    this.#db.transaction(() => {
      const meta = change();
      const { text, hash } = checkedText(canonicalEncode(meta));
      this.#writes.setMeta.run(text, hash);
      this.#meta = meta;
    })();
  }
}
