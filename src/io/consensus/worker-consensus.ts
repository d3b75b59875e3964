/**
 * The Consensus port for the main thread, with the log in a Worker (bin/workers/raft-worker):
 * neither an fsync nor a long read of the log blocks the server's loop. Proposals of one
 * turn of the event loop go over together.
 */
import type { LogIndex } from "../../base/brand.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { Consensus, ConsensusListener, ConsensusStatus } from "../../ports/consensus.ts";
import type { ConsensusReply, ConsensusRequest } from "./consensus-messages.ts";
import { packBytes, unpackEntries } from "./consensus-messages.ts";

/** Where the worker is and which log it opens. */
export interface WorkerConsensusOptions {
  /** Where the worker's entry is: `new URL("./workers/raft-worker.ts", import.meta.url).href` in bin/. */
  readonly workerUrl: string;
  /** Directory of the log, which exists (createLogStore). */
  readonly dir: string;
  readonly memberId: MemberId;
  readonly address: string;
}

/** Starts the worker and opens the log in it. Rejects with LatticeError when the log cannot be used. */
export function openWorkerConsensus(options: WorkerConsensusOptions): Promise<WorkerConsensus> {
  const { workerUrl, dir, memberId, address } = options;
  const worker = new Worker(workerUrl, { name: "raft" });
  return new Promise((resolve, reject) => {
    const fail = (reason: Fault): void => {
      worker.terminate();
      reject(new LatticeError(reason));
    };
    worker.onerror = (event) => fail(workerDied(event.message));
    worker.onmessage = ({ data: reply }: MessageEvent<ConsensusReply>) => {
      if (reply.kind === "failed") fail(reply.fault);
      if (reply.kind === "opened") resolve(new WorkerConsensus(worker, reply.clusterId, reply.status));
    };
    worker.postMessage({ kind: "open", dir, memberId, address } satisfies ConsensusRequest);
  });
}

/** The main thread's end. Made by openWorkerConsensus. */
export class WorkerConsensus implements Consensus {
  #listener: ConsensusListener | undefined;
  #proposals: number[] = [];
  #data: Uint8Array[] = [];
  #ended: Fault | undefined;
  readonly #closed = Promise.withResolvers<void>();

  constructor(
    private readonly worker: Worker,
    /** The cluster that the log belongs to. */
    readonly clusterId: string,
    private lastStatus: ConsensusStatus,
  ) {
    worker.onmessage = ({ data }: MessageEvent<ConsensusReply>) => this.#onReply(data);
    worker.onerror = (event) => this.#onDeath(event.message);
    worker.addEventListener("close", () => this.#onDeath("it ended by itself"));
  }

  start(listener: ConsensusListener, applied: LogIndex): void {
    this.#listener = listener;
    this.#post({ kind: "start", applied });
  }

  propose(proposal: number, data: Uint8Array): void {
    if (this.#proposals.length === 0) setImmediate(() => this.#flush());
    this.#proposals.push(proposal);
    this.#data.push(data);
  }

  compact(index: LogIndex): void {
    if (!this.#ended) this.#post({ kind: "compact", index });
  }

  status(): ConsensusStatus {
    return this.lastStatus;
  }

  async close(): Promise<void> {
    this.#flush();
    // A member that failed still has a file to close.
    this.#post({ kind: "close" });
    this.#ended ??= fault("SHUTTING_DOWN", "this server is shutting down");
    await this.#closed.promise;
    this.worker.terminate();
  }

  #flush(): void {
    if (this.#proposals.length === 0) return;
    const proposals = this.#proposals;
    const data = packBytes(this.#data);
    this.#proposals = [];
    this.#data = [];
    if (this.#ended) this.#listener?.onRejected(proposals, this.#ended);
    else this.#post({ kind: "propose", proposals, data }, [data.bytes.buffer, data.ends.buffer]);
  }

  #post(request: ConsensusRequest, transfer: Transferable[] = []): void {
    this.worker.postMessage(request, transfer);
  }

  #onReply(reply: ConsensusReply): void {
    switch (reply.kind) {
      case "committed": {
        const entries = unpackEntries(reply.entries);
        const commit = entries.at(-1)?.index ?? this.lastStatus.commit;
        this.lastStatus = { ...this.lastStatus, commit };
        this.#listener?.onCommitted(entries);
        return;
      }
      case "rejected":
        this.#listener?.onRejected(reply.proposals, reply.fault);
        return;
      case "status":
        this.lastStatus = reply.status;
        this.#listener?.onStatus(reply.status);
        return;
      case "failed":
        this.#fail(reply.fault);
        return;
      case "closed":
        this.#closed.resolve();
        return;
      case "opened":
    }
  }

  #onDeath(detail: string): void {
    this.#closed.resolve();
    this.#fail(workerDied(detail));
  }

  /** Tells the listener once; a worker that ends after `close` has nothing to tell. */
  #fail(reason: Fault): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#listener?.onFailed(reason);
  }
}

const workerDied = (detail: string): Fault => fault("INTERNAL", `the raft worker stopped: ${detail}`);
