/**
 * The Consensus port for the main thread, with the member in a Worker
 * (bin/workers/raft-worker): neither an fsync nor a long pass of the server's loop holds up
 * the other. Proposals and readers of one turn of the event loop go over together.
 */
import type { LogIndex } from "../../base/brand.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { MemberId, MembershipChange } from "../../core/raft/raft-types.ts";
import type { Consensus, ConsensusListener, ConsensusStatus } from "../../ports/consensus.ts";
import type { PeerIdentity, SnapshotOrder } from "../../ports/peer-link.ts";
import type { PeerTls } from "../peer/peer-network.ts";
import type {
  ConsensusQuestion,
  ConsensusReply,
  ConsensusRequest,
  NumberedProposal,
  RaftMemberOptions,
} from "./consensus-messages.ts";
import { packProposals, unpackEntries } from "./consensus-messages.ts";
import { OpenQuestions } from "./open-questions.ts";

/** Where the worker is and which member it runs. */
export interface WorkerConsensusOptions extends RaftMemberOptions {
  /** Where the worker's entry is: `new URL("./workers/raft-worker.ts", import.meta.url).href` in bin/. */
  readonly workerUrl: string;
}

/** Starts the worker and opens the log in it. Rejects with LatticeError when the log cannot be used. */
export function openWorkerConsensus({ workerUrl, ...member }: WorkerConsensusOptions): Promise<WorkerConsensus> {
  const worker = new Worker(workerUrl, { name: "raft" });
  return new Promise((resolve, reject) => {
    const fail = (reason: Fault): void => {
      worker.terminate();
      reject(new LatticeError(reason));
    };
    worker.onerror = (event) => fail(workerDied(event.message));
    worker.onmessage = ({ data: reply }: MessageEvent<ConsensusReply>) => {
      if (reply.kind === "failed") fail(reply.fault);
      if (reply.kind === "opened") resolve(new WorkerConsensus(worker, reply.identity, reply.status));
    };
    worker.postMessage({ kind: "open", member } satisfies ConsensusRequest);
  });
}

/** The main thread's end. Made by openWorkerConsensus. */
export class WorkerConsensus implements Consensus {
  #listener: ConsensusListener | undefined;
  #proposals: NumberedProposal[] = [];
  /** The readers of this turn share one question. */
  #read: { readonly ticket: number; readonly answer: Promise<LogIndex> } | undefined;
  #isFlushDue = false;
  readonly #questions = new OpenQuestions();
  #ended: Fault | undefined;
  #heardAt = performance.now();
  readonly #closed = Promise.withResolvers<void>();

  constructor(
    private readonly worker: Worker,
    private lastIdentity: PeerIdentity,
    private lastStatus: ConsensusStatus,
  ) {
    worker.onmessage = ({ data }: MessageEvent<ConsensusReply>) => this.#onReply(data);
    worker.onerror = (event) => this.#onDeath(event.message);
    worker.addEventListener("close", () => this.#onDeath("it ended by itself"));
  }

  /** Whether the worker, which tells its status several times a second, has done so within the last `withinMs`. */
  isAnswering(withinMs: number): boolean {
    return performance.now() - this.#heardAt <= withinMs;
  }

  /** What this member says of itself; its cluster's id is empty until it has joined one. */
  get identity(): PeerIdentity {
    return this.lastIdentity;
  }

  get clusterId(): string {
    return this.lastIdentity.clusterId;
  }

  start(listener: ConsensusListener, applied: LogIndex): void {
    this.#listener = listener;
    this.#post({ kind: "start", applied });
  }

  propose(proposal: number, data: Uint8Array): void {
    this.#proposals.push({ proposal, data });
    this.#flushSoon();
  }

  readIndex(): Promise<LogIndex> {
    this.#read ??= this.#questions.open();
    this.#flushSoon();
    return this.#read.answer;
  }

  async changeMembers(change: MembershipChange): Promise<void> {
    await this.#ask({ kind: "change", change });
  }

  async transfer(to: MemberId): Promise<void> {
    await this.#ask({ kind: "transfer", to });
  }

  relay(to: MemberId, data: Uint8Array): void {
    if (this.#ended) return;
    const copy = new Uint8Array(data);
    this.#post({ kind: "relay", to, data: copy }, [copy.buffer]);
  }

  /** Proves to the other members with other certificates who this server is, from the next connection on. */
  useCertificates(tls: PeerTls): void {
    if (!this.#ended) this.#post({ kind: "certificates", tls });
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
    this.#questions.end(this.#ended);
    this.worker.terminate();
  }

  #ask(question: ConsensusQuestion): Promise<LogIndex> {
    if (this.#ended) return Promise.reject(new LatticeError(this.#ended));
    const { ticket, answer } = this.#questions.open();
    this.#post({ kind: "ask", ticket, question });
    return answer;
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushDue = false;
    const proposals = this.#proposals.splice(0);
    const read = this.#read;
    this.#read = undefined;
    if (this.#ended) {
      const numbers = proposals.map(({ proposal }) => proposal);
      if (numbers.length > 0) this.#listener?.onRejected(numbers, this.#ended);
      this.#questions.end(this.#ended);
      return;
    }
    if (proposals.length > 0) {
      const packed = packProposals(proposals);
      this.#post({ kind: "propose", ...packed }, [packed.buffer]);
    }
    if (read) this.#post({ kind: "ask", ticket: read.ticket, question: { kind: "read" } });
  }

  #post(request: ConsensusRequest, transfer: Transferable[] = []): void {
    this.worker.postMessage(request, transfer);
  }

  #onReply(reply: ConsensusReply): void {
    this.#heardAt = performance.now();
    switch (reply.kind) {
      case "committed": {
        const entries = unpackEntries(reply);
        const commit = entries.at(-1)?.index ?? this.lastStatus.commit;
        this.lastStatus = { ...this.lastStatus, commit };
        this.#listener?.onCommitted(entries);
        return;
      }
      case "snapshot":
        this.lastStatus = { ...this.lastStatus, commit: reply.snapshot.meta.index };
        this.#listener?.onSnapshot(reply.snapshot);
        return;
      case "snapshot-wanted":
        this.#sendSnapshot(reply.ticket, reply.order);
        return;
      case "rejected":
        this.#listener?.onRejected(reply.proposals, reply.fault);
        return;
      case "answered":
        this.#questions.answer(reply.ticket, reply);
        return;
      case "relayed":
        this.#listener?.onRelayed(reply.from, reply.data);
        return;
      case "status":
        this.lastIdentity = reply.identity;
        this.lastStatus = reply.status;
        if (reply.isNews) this.#listener?.onStatus(reply.status);
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

  #sendSnapshot(ticket: number, order: SnapshotOrder): void {
    const report = (index: LogIndex | undefined) => this.#post({ kind: "snapshot-sent", ticket, index });
    if (!this.#listener) report(undefined);
    else this.#listener.onSnapshotWanted(order).then(report, () => report(undefined));
  }

  #onDeath(detail: string): void {
    this.#closed.resolve();
    this.#fail(workerDied(detail));
  }

  /** Tells the listener once; a worker that ends after `close` has nothing to tell. */
  #fail(reason: Fault): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#questions.end(reason);
    this.#listener?.onFailed(reason);
  }
}

const workerDied = (detail: string): Fault => fault("INTERNAL", `the raft worker stopped: ${detail}`);
