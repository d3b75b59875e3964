/**
 * The replicated state of this server: proposes commands, applies what is committed, in
 * order, each once, and keeps the mirror on disk. It alone owns the state; everybody else
 * reads it between two events, and writes by proposing.
 */
import type { LogIndex, Term } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { UserId } from "../../core/domain/ids.ts";
import { userId } from "../../core/domain/ids.ts";
import { decodeMembership } from "../../core/raft/membership.ts";
import type { MemberId, SnapshotMeta } from "../../core/raft/raft-types.ts";
import { apply } from "../../core/state/apply.ts";
import type { CommandBody, CommandExtras, Output } from "../../core/state/commands.ts";
import type { StateEvent } from "../../core/state/events.ts";
import { decodeSnapshot, decodeSnapshotInSteps, takeArchived, takeChanges } from "../../core/state/snapshot.ts";
import type { State } from "../../core/state/state.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { CommittedEntry, Consensus, ConsensusListener, ConsensusStatus } from "../../ports/consensus.ts";
import type { Logger } from "../../ports/log.ts";
import type { ReceivedSnapshot, SnapshotOrder } from "../../ports/peer-link.ts";
import type { Snapshots } from "../../ports/snapshots.ts";
import type { StateMirror } from "../../ports/state-mirror.ts";
import { decodeEntry, encodeEntry } from "./entry-codec.ts";
import { InFlight, OUTCOME_UNKNOWN } from "./in-flight.ts";
import { ReadBarrier } from "./read-barrier.ts";

/** From a change in memory to its row on disk: changes of one row meanwhile are one write, and rows share pages. A start replays as much. */
const MIRROR_DELAY_MS = 1_000;
/** Of changed rows, handed over between two turns of the loop: some milliseconds of work. */
const MIRROR_CHARACTERS = 250_000;
/** Committed entries that are applied at once, and milliseconds after which the loop has its turn: a server that catches up has many. */
const SLICE_ENTRIES = 64;
const SLICE_MS = 10;
/** How often it is looked for proposals that have waited too long. */
const SWEEP_PERIOD_MS = 500;
/** More proposals than this in flight and the server says it is overloaded. */
const IN_FLIGHT_MAX = 20_000;
/** Acts for the servers themselves. */
export const SYSTEM: UserId = userId("system");

/** What a replica is made from. */
export interface ReplicaParts {
  /** Names this process in the tags of its proposals. */
  readonly proposer: string;
  readonly mirror: StateMirror;
  readonly snapshots: Snapshots;
  readonly consensus: Consensus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly snapshotThreshold: number;
  /** Called once when storage or state can no longer be trusted: the process must end. */
  readonly onFailed: (cause: Fault) => void;
}

/** Is told what happens to the state and to the group. Every part may be left out. */
export interface ReplicaListener {
  /** Takes the events of one applied batch. */
  onEvents?(events: readonly StateEvent[]): void;
  /** The state is another one, by a snapshot; changes in between were not seen. */
  onReplaced?(): void;
  /** This server leads from here on, or no longer. */
  onRole?(isLeader: boolean): void;
  /** The leader, the term or the members may have changed. */
  onStatus?(): void;
  /** This server proposed a command; it does not wait for what is done here. */
  onProposed?(command: CommandBody["kind"], output: Promise<Output>): void;
  /** Another server's loop sent this. */
  onRelayed?(from: MemberId, data: Uint8Array): void;
}

export class Replica {
  readonly mirror: StateMirror;
  readonly #parts: ReplicaParts;
  readonly #inFlight = new InFlight();
  readonly #listeners: ReplicaListener[] = [];
  readonly #barrier: ReadBarrier;
  #state: State;
  #applied: SnapshotMeta;
  #compacted: LogIndex;
  #mirrorTimer: CancelTimer | undefined;
  #isCompacting = false;
  /** A snapshot is being put in place. */
  #replacing: Promise<void> | undefined;
  /** Committed and not yet applied: while a snapshot is put in place, and between two slices. */
  #held: CommittedEntry[] = [];
  #isTurnDue = false;
  #sweepTimer: CancelTimer | undefined;
  #wasLeader = false;
  #hasFailed = false;

  /** Loads the state from the mirror. @throws CORRUPT_LOG when a row is damaged. */
  constructor(parts: ReplicaParts) {
    this.#parts = parts;
    this.mirror = parts.mirror;
    this.#state = trusted(decodeSnapshot(parts.mirror.liveRows()));
    this.#applied = parts.mirror.applied();
    this.#compacted = this.#applied.index;
    const { clock, consensus } = parts;
    const readIndex = () => consensus.readIndex();
    this.#barrier = new ReadBarrier({ clock, readIndex, applied: () => this.#applied.index });
  }

  /** The state of the moment: not to be kept, for a snapshot puts another one in its place. */
  get state(): State {
    return this.#state;
  }

  get applied(): LogIndex {
    return this.#applied.index;
  }

  /** The term of the last entry applied: with its index, how new the state is, comparable between servers. */
  get appliedTerm(): Term {
    return this.#applied.term;
  }

  /** Proposals of this server whose outcome is not known. */
  get inFlightCount(): number {
    return this.#inFlight.size;
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
    const { consensus, clock } = this.#parts;
    this.#sweepTimer = clock.every(SWEEP_PERIOD_MS, () => this.#inFlight.onTime(clock.monotonic()));
    const listener: ConsensusListener = {
      onCommitted: (entries) => this.#onCommitted(entries),
      onSnapshot: (snapshot) => this.#onSnapshot(snapshot),
      onSnapshotWanted: (order) => this.#sendSnapshot(order),
      onRejected: (proposals, cause) => this.#inFlight.reject(proposals, refusalOf(cause)),
      onRelayed: (from, data) => this.#tell((listener) => listener.onRelayed?.(from, data)),
      onStatus: () => this.#onStatus(),
      onFailed: (cause) => this.#fail(cause),
    };
    consensus.start(listener, this.#applied.index);
    this.#onStatus();
  }

  listen(listener: ReplicaListener): void {
    this.#listeners.push(listener);
  }

  /**
   * Resolves when the state holds everything that was acknowledged anywhere before the call.
   * Invariant INV-O2: a read that does not ask for stale data begins after this.
   * @throws LatticeError NO_QUORUM after a few seconds without a leader.
   */
  readBarrier(): Promise<void> {
    return this.#hasFailed ? Promise.reject(new LatticeError(STOPPED)) : this.#barrier.wait();
  }

  /**
   * Proposes a command and returns what it gave once it is committed and applied here.
   * Invariant INV-O1: nothing is acknowledged before that.
   * @throws LatticeError with the refusal, or OVERLOADED, SHUTTING_DOWN, or NO_QUORUM, also
   * when it is not known whether the command was stored.
   */
  propose(body: CommandBody, by: UserId, extras: CommandExtras = {}): Promise<Output> {
    if (this.#hasFailed) return Promise.reject(new LatticeError(STOPPED));
    if (this.#inFlight.size >= IN_FLIGHT_MAX) {
      const text = `${this.#inFlight.size} changes wait to be stored`;
      return Promise.reject(new LatticeError({ reason: "OVERLOADED", message: text, retryAfterMs: 1000 }));
    }
    const { clock, consensus, proposer } = this.#parts;
    const command = { ...body, at: clock.now(), by, ...extras };
    const { proposal, output } = this.#inFlight.add(clock.monotonic());
    consensus.propose(proposal, encodeEntry({ tag: `${proposer}:${proposal}`, command }));
    this.#tell((listener) => listener.onProposed?.(body.kind, output));
    return output;
  }

  /** Sends bytes to the main loop of another server; they may be lost. */
  relay(to: MemberId, data: Uint8Array): void {
    if (!this.#hasFailed) this.#parts.consensus.relay(to, data);
  }

  /** Writes what is missing on disk and ends the log. */
  async close(): Promise<void> {
    const isWhole = !this.#hasFailed && !this.#replacing;
    this.#hasFailed = true;
    this.#inFlight.rejectAll(fault("SHUTTING_DOWN", "this server is stopping"));
    await this.#parts.consensus.close();
    this.#sweepTimer?.();
    this.#mirrorTimer?.();
    await this.#replacing;
    // A state that failed half way must not replace the sound one on disk.
    if (isWhole) {
      await this.#writeMirror(Number.POSITIVE_INFINITY);
      await this.mirror.sync();
    }
    await this.mirror.close();
  }

  /** Resolves when what is applied by the time of the call is in the mirror. */
  async flush(): Promise<void> {
    this.#mirrorTimer?.();
    this.#mirrorTimer = undefined;
    await this.#guardAll(async () => {
      // Rows of the old state must not follow the snapshot into the mirror.
      while (this.#replacing) await this.#replacing;
      const { index } = this.#applied;
      await this.#writeMirror();
      await this.#compactUpTo(index);
    });
  }

  async #compactUpTo(index: LogIndex): Promise<void> {
    if (this.#hasFailed || this.#isCompacting || index - this.#compacted < this.#parts.snapshotThreshold) return;
    this.#isCompacting = true;
    await this.mirror.sync();
    this.#isCompacting = false;
    if (index <= this.#compacted) return;
    this.#compacted = index;
    this.#parts.consensus.compact(index);
  }

  #onCommitted(entries: readonly CommittedEntry[]): void {
    for (const entry of entries) this.#held.push(entry);
    if (!this.#isTurnDue) this.#guard(() => this.#applyHeld());
  }

  /** Applies what is held, and lets the loop have its turn where that takes long. */
  #applyHeld(): void {
    const { clock } = this.#parts;
    const begun = clock.monotonic();
    while (this.#held.length > 0 && !this.#replacing) {
      this.#applyAll(this.#held.splice(0, SLICE_ENTRIES));
      if (this.#held.length === 0 || clock.monotonic() - begun < SLICE_MS) continue;
      this.#isTurnDue = true;
      clock.after(0, () => {
        this.#isTurnDue = false;
        this.#guard(() => this.#applyHeld());
      });
      return;
    }
  }

  #applyAll(entries: readonly CommittedEntry[]): void {
    const events: StateEvent[] = [];
    const settled: (() => void)[] = [];
    let hasArchived = false;
    for (const entry of entries) {
      this.#applied = afterEntry(this.#applied, entry);
      if (entry.kind !== "command") continue;
      const { tag, command } = decodeEntry(entry.data);
      const { outcome, events: caused } = apply(this.#state, entry.index, command);
      for (const event of caused) events.push(event);
      hasArchived ||= command.kind === "archive" || command.kind === "retire-audit";
      const settle = this.#takeOwn(tag);
      if (settle) settled.push(() => settle(outcome));
    }
    this.#mirrorTimer ??= this.#parts.clock.after(MIRROR_DELAY_MS, () => void this.flush());
    // Archived rows are found by the mirror before anybody can ask for what memory lacks.
    if (hasArchived) this.mirror.stage(takeArchived(this.#state));
    for (const settle of settled) settle();
    this.#barrier.onApplied(this.#applied.index);
    if (events.length > 0) this.#tell((listener) => listener.onEvents?.(events));
  }

  #takeOwn(tag: string) {
    const [proposer, number] = tag.split(":");
    return proposer === this.#parts.proposer ? this.#inFlight.take(Number(number)) : undefined;
  }

  #onSnapshot(snapshot: ReceivedSnapshot): void {
    this.#mirrorTimer?.();
    this.#mirrorTimer = undefined;
    const before = this.#replacing ?? Promise.resolve();
    const replacing = before
      .then(() => this.#guardAll(() => this.#replace(snapshot)))
      .then(() => {
        if (this.#replacing !== replacing) return;
        this.#replacing = undefined;
        this.#onCommitted(this.#held.splice(0).filter(({ index }) => index > this.#applied.index));
      });
    this.#replacing = replacing;
  }

  /** Puts a received state in the place of this one; it may hold outcomes that nobody was told. */
  async #replace(snapshot: ReceivedSnapshot): Promise<void> {
    await this.mirror.replace(snapshot);
    this.#state = await this.#loadInTurns();
    this.#applied = this.mirror.applied();
    this.#compacted = this.#applied.index;
    this.#parts.log.info("the state was replaced by a snapshot", { index: this.#applied.index });
    this.#inFlight.rejectAll(OUTCOME_UNKNOWN);
    this.#barrier.onApplied(this.#applied.index);
    this.#tell((listener) => listener.onReplaced?.());
  }

  /** Loads the state from the mirror; the loop has its turn between two steps. */
  async #loadInTurns(): Promise<State> {
    const steps = decodeSnapshotInSteps(this.mirror.liveRows());
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return trusted(step.value);
      await new Promise<void>((resolve) => this.#parts.clock.after(0, resolve));
    }
  }

  async #sendSnapshot(order: SnapshotOrder): Promise<LogIndex> {
    if (this.#hasFailed) throw new LatticeError(STOPPED);
    await this.flush();
    await this.mirror.sync();
    return this.#parts.snapshots.send(order);
  }

  #onStatus(): void {
    const { isLeader } = this;
    const hasChanged = isLeader !== this.#wasLeader;
    this.#wasLeader = isLeader;
    if (hasChanged) this.#tell((listener) => listener.onRole?.(isLeader));
    this.#tell((listener) => listener.onStatus?.());
  }

  #tell(call: (listener: ReplicaListener) => void): void {
    for (const listener of this.#listeners) call(listener);
  }

  /** Hands changes over a little at a time: turning many rows into text takes long. */
  async #writeMirror(charactersMax = MIRROR_CHARACTERS): Promise<void> {
    for (;;) {
      const { rows, isAll } = takeChanges(this.#state, charactersMax);
      if (isAll && rows.length === 0 && this.mirror.applied().index >= this.#applied.index) return;
      if (isAll) return this.mirror.write(rows, this.#applied);
      this.mirror.stage(rows);
      await new Promise<void>((resolve) => this.#parts.clock.after(0, resolve));
      while (this.#replacing) await this.#replacing;
      if (this.#hasFailed) return;
    }
  }

  /** A failure while applying or storing leaves a state that nobody may trust: this server stops. */
  #guard(action: () => void): void {
    if (this.#hasFailed) return;
    try {
      action();
    } catch (error) {
      this.#onError(error);
    }
  }

  async #guardAll(action: () => Promise<void>): Promise<void> {
    if (this.#hasFailed) return;
    try {
      await action();
    } catch (error) {
      this.#onError(error);
    }
  }

  #onError(error: unknown): void {
    this.#parts.log.error("the replicated state failed", { error, applied: this.#applied.index });
    this.#fail(error instanceof LatticeError ? error.fault : fault("INTERNAL", String(error)));
  }

  #fail(cause: Fault): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#inFlight.rejectAll(cause);
    this.#parts.onFailed(cause);
  }
}

const STOPPED: Fault = fault("SHUTTING_DOWN", "this server has stopped");

function trusted(state: Result<State, string>): State {
  if (!state.ok) throw new LatticeError(fault("CORRUPT_LOG", `the state on disk cannot be used: ${state.error}`));
  return state.value;
}

function afterEntry({ membership }: SnapshotMeta, { index, term, kind, data }: CommittedEntry): SnapshotMeta {
  if (kind !== "membership") return { index, term, membership };
  return { index, term, membership: { index, membership: decodeMembership(data) } };
}

/** Who asked need not know which server leads: any will do, once there is a leader. */
function refusalOf(cause: Fault): Fault {
  if (cause.reason !== "NOT_LEADER") return cause;
  return { reason: "NO_QUORUM", message: "the servers have no leader at the moment", retryAfterMs: 500 };
}
