/**
 * The replicated state of this server: proposes commands, applies what is committed, in
 * order, each once, and keeps the mirror on disk. It alone owns the state; everybody else
 * reads it between two events, and writes by proposing.
 */
import type { LogIndex } from "../../base/brand.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { UserId } from "../../core/domain/ids.ts";
import { userId } from "../../core/domain/ids.ts";
import { apply } from "../../core/state/apply.ts";
import type { CommandBody, IdempotencyKey, Output } from "../../core/state/commands.ts";
import type { StateEvent } from "../../core/state/events.ts";
import { decodeSnapshot, takeChanges } from "../../core/state/snapshot.ts";
import type { State } from "../../core/state/state.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { CommittedEntry, Consensus, ConsensusStatus } from "../../ports/consensus.ts";
import type { Logger } from "../../ports/log.ts";
import type { StateMirror } from "../../ports/state-mirror.ts";
import { decodeEntry, encodeEntry } from "./entry-codec.ts";

/** Between a change in memory and its row on disk, at most. */
const MIRROR_DELAY_MS = 200;
/** More proposals than this in flight and the server says it is overloaded. */
const IN_FLIGHT_MAX = 20_000;
/** Acts for the servers themselves. */
export const SYSTEM: UserId = userId("system");

/** What a replica is made from. */
export interface ReplicaParts {
  /** Names this process in the tags of its proposals. */
  readonly proposer: string;
  readonly mirror: StateMirror;
  readonly consensus: Consensus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly snapshotThreshold: number;
  /** Called once when storage or state can no longer be trusted: the process must end. */
  readonly onFailed: (cause: Fault) => void;
}

interface InFlight {
  readonly resolve: (output: Output) => void;
  readonly reject: (error: LatticeError) => void;
}

/** Takes the events of one applied batch. */
export type EventListener = (events: readonly StateEvent[]) => void;

export class Replica {
  readonly state: State;
  readonly mirror: StateMirror;
  readonly #parts: ReplicaParts;
  readonly #inFlight = new Map<number, InFlight>();
  readonly #listeners: EventListener[] = [];
  readonly #statusListeners: (() => void)[] = [];
  #applied: LogIndex;
  #compacted: LogIndex;
  #sequence = 0;
  #mirrorTimer: CancelTimer | undefined;
  #hasFailed = false;

  /** Loads the state from the mirror. @throws CORRUPT_LOG when a row is damaged. */
  constructor(parts: ReplicaParts) {
    this.#parts = parts;
    this.mirror = parts.mirror;
    const state = decodeSnapshot(parts.mirror.liveRows());
    if (!state.ok) throw new LatticeError(fault("CORRUPT_LOG", `the state on disk cannot be used: ${state.error}`));
    this.state = state.value;
    this.#applied = parts.mirror.appliedIndex();
    this.#compacted = this.#applied;
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  get consensus(): Consensus {
    return this.#parts.consensus;
  }

  get status(): ConsensusStatus {
    return this.#parts.consensus.status();
  }

  get isLeader(): boolean {
    const { self, leader } = this.status;
    return !this.#hasFailed && leader === self;
  }

  /** Starts taking in committed entries. */
  start(): void {
    this.#parts.consensus.start(
      {
        onCommitted: (entries) => this.#guard(() => this.#applyAll(entries)),
        onRejected: (proposals, cause) => this.#rejectAll(proposals, cause),
        onStatus: () => {
          for (const listener of this.#statusListeners) listener();
        },
        onFailed: (cause) => this.#fail(cause),
      },
      this.#applied,
    );
  }

  /** Calls back with the events of each applied batch. */
  onEvents(listener: EventListener): void {
    this.#listeners.push(listener);
  }

  /** Calls back when the leader, the term or the commit index may have changed. */
  onStatus(listener: () => void): void {
    this.#statusListeners.push(listener);
  }

  /**
   * Proposes a command and returns what it gave once it is committed and applied here.
   * Invariant INV-O1: nothing is acknowledged before that.
   * @throws LatticeError with the refusal, or NO_QUORUM, OVERLOADED, SHUTTING_DOWN.
   */
  propose(body: CommandBody, by: UserId, idempotency?: IdempotencyKey): Promise<Output> {
    if (this.#hasFailed) return Promise.reject(new LatticeError(fault("SHUTTING_DOWN", "this server has stopped")));
    if (this.#inFlight.size >= IN_FLIGHT_MAX) {
      const text = `${this.#inFlight.size} changes wait to be stored`;
      return Promise.reject(new LatticeError({ reason: "OVERLOADED", message: text, retryAfterMs: 1000 }));
    }
    const proposal = ++this.#sequence;
    const at = this.#parts.clock.now();
    const command = { ...body, at, by, ...(idempotency && { idempotency }) };
    const data = encodeEntry({ tag: `${this.#parts.proposer}:${proposal}`, command });
    return new Promise((resolve, reject) => {
      this.#inFlight.set(proposal, { resolve, reject });
      this.#parts.consensus.propose(proposal, data);
    });
  }

  /** Writes what is missing on disk and ends the log. */
  async close(): Promise<void> {
    this.#hasFailed = true;
    this.#rejectAll([...this.#inFlight.keys()], fault("SHUTTING_DOWN", "this server is stopping"));
    await this.#parts.consensus.close();
    this.#mirrorTimer?.();
    this.#writeMirror();
    this.mirror.sync();
    this.mirror.close();
  }

  /** Writes changed rows to the mirror at once. */
  flush(): void {
    this.#mirrorTimer?.();
    this.#mirrorTimer = undefined;
    this.#writeMirror();
    if (this.#applied - this.#compacted < this.#parts.snapshotThreshold) return;
    this.mirror.sync();
    this.#compacted = this.#applied;
    this.#parts.consensus.compact(this.#applied);
  }

  #applyAll(entries: readonly CommittedEntry[]): void {
    const events: StateEvent[] = [];
    const settled: (() => void)[] = [];
    let hasArchived = false;
    for (const entry of entries) {
      this.#applied = entry.index;
      if (entry.data.length === 0) continue;
      const { tag, command } = decodeEntry(entry.data);
      const applied = apply(this.state, entry.index, command);
      for (const event of applied.events) events.push(event);
      hasArchived ||= command.kind === "archive";
      const waiting = this.#takeOwn(tag);
      if (!waiting) continue;
      const { outcome } = applied;
      settled.push(
        outcome.ok ? () => waiting.resolve(outcome.value) : () => waiting.reject(new LatticeError(outcome.error)),
      );
    }
    this.#mirrorTimer ??= this.#parts.clock.after(MIRROR_DELAY_MS, () => this.#guard(() => this.flush()));
    // Archived rows are on disk before anybody can ask for what memory lacks.
    if (hasArchived) this.flush();
    for (const settle of settled) settle();
    if (events.length > 0) for (const listener of this.#listeners) listener(events);
  }

  #takeOwn(tag: string): InFlight | undefined {
    const [proposer, number] = tag.split(":");
    if (proposer !== this.#parts.proposer) return undefined;
    const proposal = Number(number);
    const waiting = this.#inFlight.get(proposal);
    this.#inFlight.delete(proposal);
    return waiting;
  }

  #rejectAll(proposals: readonly number[], cause: Fault): void {
    for (const proposal of proposals) {
      const waiting = this.#inFlight.get(proposal);
      this.#inFlight.delete(proposal);
      waiting?.reject(new LatticeError(cause));
    }
  }

  #writeMirror(): void {
    const rows = takeChanges(this.state);
    if (rows.length > 0 || this.mirror.appliedIndex() < this.#applied) this.mirror.write(rows, this.#applied);
  }

  /** A failure while applying or storing leaves a state that nobody may trust: this server stops. */
  #guard(action: () => void): void {
    if (this.#hasFailed) return;
    try {
      action();
    } catch (error) {
      this.#parts.log.error("the replicated state failed", { error, applied: this.#applied });
      this.#fail(error instanceof LatticeError ? error.fault : fault("INTERNAL", String(error)));
    }
  }

  #fail(cause: Fault): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#rejectAll([...this.#inFlight.keys()], cause);
    this.#parts.onFailed(cause);
  }
}
