/**
 * The state on disk with its writer in a Worker (bin/workers/mirror-worker): neither a
 * transaction, an fsync, a checkpoint nor the building of a received state blocks the
 * server's loop. The Worker answers in the order of the requests.
 */
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { SnapshotMeta } from "../../core/raft/raft-types.ts";
import type { Row } from "../../core/state/table.ts";
import type { ReceivedSnapshot } from "../../ports/peer-link.ts";
import type { StateMirror } from "../../ports/state-mirror.ts";
import type { MirrorLink } from "./mirror-link.ts";
import type { MirrorPlace } from "./mirror-writer.ts";
import type { PackedRows } from "./packed-rows.ts";
import { packRows } from "./packed-rows.ts";
import { openLinkedMirror } from "./state-mirror.ts";

/** From the main thread. All but `stage` and `adopt` are answered. */
export type MirrorRequest =
  | { readonly kind: "open"; readonly place: MirrorPlace }
  | { readonly kind: "adopt"; readonly clusterId: string }
  | ({ readonly kind: "stage" } & PackedRows)
  | ({ readonly kind: "write"; readonly applied: SnapshotMeta } & PackedRows)
  | { readonly kind: "sync" }
  | { readonly kind: "replace"; readonly snapshot: ReceivedSnapshot }
  | { readonly kind: "close" };

/** From the Worker. */
export type MirrorReply =
  | { readonly isOk: true; readonly applied?: SnapshotMeta }
  | { readonly isOk: false; readonly fault: Fault };

/** Where the Worker and the state are. */
export interface WorkerMirrorOptions {
  /** Where the Worker's entry is: `new URL("./workers/mirror-worker.ts", import.meta.url).href` in bin/. */
  readonly workerUrl: string;
  readonly dir: string;
  /** Returns the log's cluster of the moment; empty while the member waits to join one. */
  clusterId(): string;
}

/** Starts the Worker and opens the state in it. Rejects with LatticeError when the state cannot be used. */
export async function openWorkerMirror({ workerUrl, dir, clusterId }: WorkerMirrorOptions): Promise<StateMirror> {
  const link = new WorkerLink(new Worker(workerUrl, { name: "mirror" }));
  try {
    await link.open({ dir, clusterId: clusterId() });
    return openLinkedMirror({ dir, clusterId }, link);
  } catch (error) {
    await link.close();
    throw error;
  }
}

type Waiting = PromiseWithResolvers<SnapshotMeta | undefined>;

class WorkerLink implements MirrorLink {
  readonly #worker: Worker;
  /** Requests without an answer yet, oldest first. */
  #waiting: Waiting[] = [];
  #ended: LatticeError | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<MirrorReply>) => this.#onReply(data);
    worker.onerror = ({ message }) => this.#onDeath(message);
    worker.addEventListener("close", () => this.#onDeath("it ended by itself"));
  }

  async open(place: MirrorPlace): Promise<void> {
    await this.#ask({ kind: "open", place });
  }

  adopt(clusterId: string): void {
    this.#worker.postMessage({ kind: "adopt", clusterId } satisfies MirrorRequest);
  }

  stage(rows: readonly Row[]): void {
    this.#worker.postMessage({ kind: "stage", ...packRows(rows) } satisfies MirrorRequest);
  }

  async write(rows: readonly Row[], applied: SnapshotMeta): Promise<void> {
    await this.#ask({ kind: "write", applied, ...packRows(rows) });
  }

  async sync(): Promise<void> {
    await this.#ask({ kind: "sync" });
  }

  async replace(snapshot: ReceivedSnapshot): Promise<SnapshotMeta> {
    return (await this.#ask({ kind: "replace", snapshot })) ?? snapshot.meta;
  }

  async close(): Promise<void> {
    // Whoever waited for a write has been told how it went; a Worker that died has nothing to close.
    await this.#ask({ kind: "close" }).catch(() => undefined);
    this.#ended ??= died("it was closed");
    this.#worker.terminate();
  }

  #ask(request: MirrorRequest): Promise<SnapshotMeta | undefined> {
    if (this.#ended) return Promise.reject(this.#ended);
    const waiting: Waiting = Promise.withResolvers();
    this.#waiting.push(waiting);
    this.#worker.postMessage(request);
    return waiting.promise;
  }

  #onReply(reply: MirrorReply): void {
    const waiting = this.#waiting.shift();
    if (reply.isOk) waiting?.resolve(reply.applied);
    else waiting?.reject(new LatticeError(reply.fault));
  }

  #onDeath(why: string): void {
    this.#ended ??= died(why);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(this.#ended);
  }
}

const died = (why: string): LatticeError => new LatticeError(fault("INTERNAL", `the mirror worker stopped: ${why}`));
