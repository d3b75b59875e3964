/**
 * Runs a raft member over its log store: takes proposals in batches, writes, hands
 * committed entries on. It is the Consensus port for a caller in the same thread (tests,
 * the simulator, the worker that gives the log a thread of its own). It knows nothing of
 * threads, timers or what the entries mean.
 */
import { assert, InvariantError } from "../../base/assert.ts";
import type { LogIndex } from "../../base/brand.ts";
import { logIndex } from "../../base/brand.ts";
import { createPrng } from "../../base/prng.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { LogShape } from "../../core/raft/log.ts";
import { soleVoter } from "../../core/raft/membership.ts";
import type { RaftNode } from "../../core/raft/node-state.ts";
import { createRaftNode } from "../../core/raft/node-state.ts";
import { step } from "../../core/raft/raft-node.ts";
import type { Entry, MemberId, RaftEffect, RaftInput } from "../../core/raft/raft-types.ts";
import type { CommittedEntry, Consensus, ConsensusListener, ConsensusStatus } from "../../ports/consensus.ts";
import type { LogStore } from "../../ports/log-store.ts";

/** What a driver works with. */
export interface RaftDriverOptions {
  readonly memberId: MemberId;
  /** Where other members and people find this one. */
  readonly address: string;
  /** Owned by the driver from here on. */
  readonly store: LogStore;
  /** Calls back after the inputs at hand: proposals made until then share one write. */
  readonly defer: (callback: () => void) => void;
}

/** Proposals in one write at most, and their bytes: bounds the time between two commits. */
const BATCH_COUNT_MAX = 4096;
const BATCH_BYTES_MAX = 8 << 20;
/** Entries read from the store at once while the state catches up. */
const READ_COUNT_MAX = 512;
const NO_DATA = new Uint8Array();

interface Proposal {
  readonly proposal: number;
  readonly data: Uint8Array;
}

/** The driver of one member. A member that failed or was closed rejects every proposal. */
export class RaftDriver implements Consensus {
  readonly #options: RaftDriverOptions;
  readonly #node: RaftNode;
  #listener: ConsensusListener | undefined;
  #waiting: Proposal[] = [];
  #isFlushDue = false;
  /** The batch that the core is being asked about. */
  #batch: readonly Proposal[] = [];
  /** Entries that were written and not yet handed on. */
  #tail: Entry[] = [];
  #delivered = logIndex(0);
  /** Why nothing is proposed any more. */
  #ended: Fault | undefined;

  constructor(options: RaftDriverOptions) {
    const { hardState, shape } = options.store.load();
    this.#options = options;
    const { memberId: id, address } = options;
    const membership = soleVoter({ id, address, storeId: options.store.clusterId });
    this.#node = createRaftNode({
      id,
      hardState,
      log: shape,
      memberships: [{ index: shape.compactedIndex, membership }],
      // The only voter draws no timeouts that matter.
      random: createPrng(id),
    });
  }

  start(listener: ConsensusListener, applied: LogIndex): void {
    assert(!this.#listener, "the raft driver is started once");
    this.#listener = listener;
    this.#delivered = applied;
    const lost = findLostEntries(applied, this.#node.log);
    if (lost) this.#fail(lost);
    else this.#run({ kind: "start" });
  }

  propose(proposal: number, data: Uint8Array): void {
    this.#waiting.push({ proposal, data });
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.defer(() => this.#flush());
  }

  compact(index: LogIndex): void {
    if (!this.#ended) this.#run({ kind: "compact", index });
  }

  status(): ConsensusStatus {
    const { id, leader, term, commit, role, durableIndex } = this.#node;
    const self = {
      id,
      address: this.#options.address,
      role: role === "leader" || role === "learner" ? role : "follower",
      matchIndex: durableIndex,
      lastContactMs: 0,
    } as const;
    return { self: id, leader, term, commit, members: [self] };
  }

  async close(): Promise<void> {
    while (this.#waiting.length > 0) this.#flush();
    this.#ended ??= fault("SHUTTING_DOWN", "this server is shutting down");
    this.#options.store.close();
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#ended) {
      this.#rejectWaiting(this.#ended);
      return;
    }
    this.#batch = this.#takeBatch();
    this.#run({ kind: "propose", data: this.#batch.map((p) => p.data) });
    if (this.#waiting.length === 0 || this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.defer(() => this.#flush());
  }

  #takeBatch(): readonly Proposal[] {
    let count = 0;
    let bytes = 0;
    for (const { data } of this.#waiting) {
      bytes += data.length;
      if (count === BATCH_COUNT_MAX || (count > 0 && bytes > BATCH_BYTES_MAX)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  #run(input: RaftInput): void {
    const effects = [...step(this.#node, input)];
    for (let effect = effects.shift(); effect && !this.#ended; effect = effects.shift()) {
      effects.push(...this.#carryOut(effect));
    }
  }

  /** Carries out one effect; returns those that follow from it. */
  #carryOut(effect: RaftEffect): readonly RaftEffect[] {
    switch (effect.kind) {
      case "persist": {
        if (!this.#useStore((store) => store.persist(effect))) return [];
        this.#tail.push(...effect.entries);
        return step(this.#node, { kind: "persisted", ticket: effect.ticket });
      }
      case "commit":
        this.#deliver(effect.index);
        return [];
      case "compact":
        this.#useStore((store) => store.compact(effect.index));
        return [];
      case "reject":
        this.#reject(this.#batch.slice(-effect.count), rejection(effect.reason));
        return [];
      case "role-changed":
        this.#listener?.onStatus(this.status());
        return [];
      case "membership-changed":
      case "read-ready":
      case "read-failed":
      case "change-refused":
      case "transfer-ended":
      case "discard-snapshot":
        return [];
      case "send":
      case "replicate":
      case "send-snapshot":
      case "install-snapshot":
        throw new InvariantError(`the only member has no use for ${effect.kind}`);
    }
  }

  #deliver(upTo: LogIndex): void {
    while (this.#delivered < upTo && !this.#ended) {
      const entries = this.#takeEntries(logIndex(this.#delivered + 1), upTo);
      const last = entries.at(-1);
      if (!last) return;
      this.#delivered = last.index;
      this.#listener?.onCommitted(entries.map(committedEntry));
    }
  }

  /** What was just written is at hand; what is older, after a start, comes from the store. */
  #takeEntries(from: LogIndex, upTo: LogIndex): readonly Entry[] {
    const oldest = this.#tail[0];
    if (oldest?.index === from) return this.#tail.splice(0, upTo - from + 1);
    const end = oldest && oldest.index <= upTo ? oldest.index - 1 : upTo;
    let entries: readonly Entry[] = [];
    this.#useStore((store) => {
      entries = store.read(from, Math.min(READ_COUNT_MAX, end - from + 1));
    });
    return entries;
  }

  /** Returns whether the store did it; if not, the member has stopped. */
  #useStore(work: (store: LogStore) => void): boolean {
    try {
      work(this.#options.store);
      return true;
    } catch (error) {
      if (!(error instanceof LatticeError)) throw error;
      this.#fail(error.fault);
      return false;
    }
  }

  /** Those in the failed write may or may not be on disk; those that wait are surely not. */
  #fail(reason: Fault): void {
    this.#ended = reason;
    this.#rejectWaiting(reason);
    this.#listener?.onFailed(reason);
  }

  #rejectWaiting(reason: Fault): void {
    this.#reject(this.#waiting.splice(0), reason);
  }

  #reject(proposals: readonly Proposal[], reason: Fault): void {
    if (proposals.length === 0) return;
    this.#listener?.onRejected(
      proposals.map((p) => p.proposal),
      reason,
    );
  }
}

/** The log must hold everything that the state on disk lacks, and that state nothing that the log lacks. */
function findLostEntries(applied: LogIndex, { compactedIndex, lastIndex }: LogShape): Fault | undefined {
  if (applied >= compactedIndex && applied <= lastIndex) return undefined;
  const log = applied < compactedIndex ? `begins after entry ${compactedIndex}` : `ends at entry ${lastIndex}`;
  return fault("CORRUPT_LOG", `entries are missing: the state on disk ends at entry ${applied}, the log ${log}`);
}

const committedEntry = ({ index, term, kind, data }: Entry): CommittedEntry => ({
  index,
  term,
  data: kind === "command" ? data : NO_DATA,
});

const rejection = (reason: "not-leader" | "overloaded"): Fault =>
  reason === "overloaded"
    ? fault("OVERLOADED", "too many changes wait to be stored")
    : fault("NOT_LEADER", "this server is not the leader");
