/**
 * Runs a raft member over its log store and its links: steps the core with whatever is at
 * hand, then carries out what the core decided. It is the Consensus port for a caller in
 * the same thread: tests, the simulator, and the worker that gives the log a thread of its
 * own. It knows nothing of threads or of what the entries mean, and takes time, randomness
 * and turns from its ports, so that the same inputs always give the same outputs.
 */
import { assert } from "../../base/assert.ts";
import type { LogIndex } from "../../base/brand.ts";
import type { Prng } from "../../base/prng.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { RaftNode } from "../../core/raft/node-state.ts";
import { createRaftNode } from "../../core/raft/node-state.ts";
import type { Entry, MemberId, MembershipChange, RaftEffect } from "../../core/raft/raft-types.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { Consensus, ConsensusListener, ConsensusStatus } from "../../ports/consensus.ts";
import type { LogStore } from "../../ports/log-store.ts";
import type { PeerAddress, PeerFrame, PeerLink, PeerLinkListener, ReceivedSnapshot } from "../../ports/peer-link.ts";
import type { Asker } from "./raft/raft-changes.ts";
import { RaftChanges } from "./raft/raft-changes.ts";
import { RaftDelivery } from "./raft/raft-delivery.ts";
import { RaftEffects } from "./raft/raft-effects.ts";
import { RaftLog } from "./raft/raft-log.ts";
import { RaftPeers } from "./raft/raft-peers.ts";
import { RaftProposals } from "./raft/raft-proposals.ts";
import { RaftReads } from "./raft/raft-reads.ts";
import type { RaftDriverSettings } from "./raft/raft-settings.ts";
import { DEFAULT_DRIVER_SETTINGS, MISSED_SPANS_MAX, PATIENCE_SPANS } from "./raft/raft-settings.ts";
import { findLostEntries, statusOf } from "./raft/raft-status.ts";
import { RaftTicks } from "./raft/raft-ticks.ts";
import { RaftTurns } from "./raft/raft-turns.ts";

/** What a driver works with. */
export interface RaftDriverOptions {
  /** Owned by the driver from here on. */
  readonly store: LogStore;
  /** Owned by the driver, which starts and closes it. */
  readonly link: PeerLink;
  readonly clock: Clock;
  /** Differs between members and between the runs of one. */
  readonly random: Prng;
  /** Where other members and people find this one. */
  readonly address: string;
  /** The others are told when it differs from what they know; absent: it may be a guess. */
  readonly isAddressChosen?: boolean;
  /** Whom to dial before there is a membership. */
  readonly seeds: readonly PeerAddress[];
  readonly settings?: RaftDriverSettings;
  /** Removes a snapshot that has arrived and is not needed. */
  readonly discard?: (snapshot: ReceivedSnapshot) => void;
  /** Calls back once the events at hand are in: what they bring shares one write. */
  readonly defer: (callback: () => void) => void;
}

/** The driver of one member. A member that failed or was closed rejects everything. */
export class RaftDriver implements Consensus {
  readonly #options: RaftDriverOptions;
  readonly #settings: RaftDriverSettings;
  readonly #node: RaftNode;
  readonly #log: RaftLog;
  readonly #peers: RaftPeers;
  readonly #effects: RaftEffects;
  readonly #delivery: RaftDelivery;
  readonly #proposals: RaftProposals;
  readonly #reads: RaftReads;
  readonly #changes: RaftChanges;
  #listener: ConsensusListener | undefined;
  #stopTicking: CancelTimer | undefined;
  readonly #ticks: RaftTicks;
  readonly #turns: RaftTurns;
  /** Why nothing is done any more. */
  #ended: Fault | undefined;

  constructor(options: RaftDriverOptions) {
    const { store, link, seeds, random, settings = DEFAULT_DRIVER_SETTINGS } = options;
    const { hardState, shape, memberships } = store.load();
    this.#options = options;
    this.#settings = settings;
    const { memberId: id } = store.identity;
    const node = createRaftNode({ id, hardState, log: shape, memberships, random, settings });
    const patience = PATIENCE_SPANS * settings.electionTicks;
    this.#node = node;
    this.#log = new RaftLog(store, settings.cacheBytes);
    this.#delivery = new RaftDelivery(node, this.#log);
    const address = options.isAddressChosen === true ? options.address : undefined;
    this.#peers = new RaftPeers({ node, store, link, seeds, address });
    this.#effects = new RaftEffects(node, this.#log, {
      perform: (effect) => this.#perform(effect),
      use: (work) => this.#use(work),
    });
    this.#ticks = new RaftTicks(options.clock, settings.tickMs, MISSED_SPANS_MAX * settings.electionTicks);
    const firstNumber = Math.floor(random() * 2 ** 40);
    this.#proposals = new RaftProposals({
      node,
      step: (input) => this.#effects.step(input),
      isLinked: (member) => this.#peers.isLinked(member),
      send: (to, frame) => link.send(to, frame),
      reject: (proposals, cause) => this.#listener?.onRejected(proposals, cause),
      wake: () => this.#turns.wake(),
      patience,
      firstNumber,
    });
    const finish = (): void => {
      this.#effects.carryOut();
      this.#deliver();
    };
    this.#turns = new RaftTurns({ takeIn: (inputs) => this.#takeIn(inputs), finish }, options.defer);
    this.#reads = new RaftReads(patience, firstNumber);
    this.#changes = new RaftChanges(node, (input) => this.#effects.step(input), patience);
  }

  start(listener: ConsensusListener, applied: LogIndex): void {
    assert(!this.#listener, "the raft driver is started once");
    const { clock, link } = this.#options;
    this.#listener = listener;
    const lost = findLostEntries(applied, this.#node);
    if (lost) {
      this.#fail(lost);
      return;
    }
    this.#delivery.start(applied);
    this.#ticks.take();
    this.#stopTicking = clock.every(this.#settings.tickMs, () => this.#turns.run());
    this.#peers.update();
    link.start(this.#linkListener()).catch((error: unknown) => {
      this.#fail(error instanceof LatticeError ? error.fault : fault("INTERNAL", String(error)));
    });
    this.#effects.step({ kind: "start" });
    this.#turns.run();
  }

  propose(proposal: number, data: Uint8Array): void {
    if (this.#ended) this.#listener?.onRejected([proposal], this.#ended);
    else this.#proposals.propose(proposal, data);
    this.#turns.wake();
  }

  readIndex(): Promise<LogIndex> {
    if (this.#ended) return Promise.reject(new LatticeError(this.#ended));
    this.#turns.wake();
    return this.#reads.read(this.#node.now);
  }

  changeMembers(change: MembershipChange): Promise<void> {
    return this.#ask((asker) => this.#changes.change(change, asker));
  }

  transfer(to: MemberId): Promise<void> {
    return this.#ask((asker) => this.#changes.transfer(to, asker));
  }

  relay(to: MemberId, data: Uint8Array): void {
    if (!this.#ended) this.#options.link.send(to, { kind: "relay", data });
  }

  compact(index: LogIndex): void {
    this.#delivery.onStateDurable(index);
    this.#later(() => this.#compact());
  }

  status(): ConsensusStatus {
    const { address, clock } = this.#options;
    return statusOf(this.#node, address, this.#peers.contacts(clock.monotonic()));
  }

  /** A leader hands over first, so that nobody has to wait for an election. */
  async close(): Promise<void> {
    const successor = this.#ended ? undefined : this.#peers.successor();
    if (successor !== undefined) await this.transfer(successor).catch(() => undefined);
    this.#proposals.drain(() => this.#turns.run());
    this.#turns.finish();
    this.#end(fault("SHUTTING_DOWN", "this server is shutting down"));
    await this.#options.link.close();
    this.#options.store.close();
  }

  #linkListener(): PeerLinkListener {
    return {
      identity: () => this.#peers.identity(),
      admit: (peer) => {
        let refused: string | undefined = "this server has stopped";
        // A lease that ran out unnoticed admits nobody.
        this.#makeUpTicks();
        this.#use(() => {
          refused = this.#peers.admit(peer);
        });
        if (refused === undefined) this.#later(() => this.#proposals.onIntroduced(peer.memberId));
        return refused;
      },
      onFrame: (from, frame) => {
        this.#peers.heard(from, this.#options.clock.monotonic());
        this.#later(() => this.#onFrame(from, frame));
      },
      onSnapshot: (from, term, snapshot) => {
        this.#peers.heard(from, this.#options.clock.monotonic());
        this.#later(() => {
          this.#delivery.onArrived(snapshot);
          this.#effects.step({ kind: "snapshot-received", from, term, snapshot: snapshot.meta });
        });
      },
      onConnected: (member) => {
        this.#peers.heard(member, this.#options.clock.monotonic());
        this.#later(() => this.#peers.onConnected(member));
      },
      onLost: (member) =>
        this.#later(() => {
          this.#peers.onLost(member);
          this.#proposals.onLost(member);
          this.#effects.step({ kind: "unreachable", member });
        }),
    };
  }

  #onFrame(from: MemberId, frame: PeerFrame): void {
    if (!this.#peers.isLetIn(from)) return;
    switch (frame.kind) {
      case "raft":
        this.#effects.step({ kind: "receive", from, message: frame.message });
        return;
      case "forward":
        this.#proposals.onForward(from, frame.proposals);
        return;
      case "forward-rejected":
        this.#proposals.onForwardRejected(from, frame.proposals, frame.reason);
        return;
      case "relay":
        this.#listener?.onRelayed(from, frame.data);
    }
  }

  #ask(question: (asker: Asker) => void): Promise<void> {
    if (this.#ended) return Promise.reject(new LatticeError(this.#ended));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#later(() => question({ resolve, reject }));
    return promise;
  }

  #later(input: () => void): void {
    if (!this.#ended) this.#turns.later(input);
  }

  /** Steps the core with everything at hand; returns whether the writes wait for what it sent. */
  #takeIn(inputs: readonly (() => void)[]): boolean {
    if (this.#ended) return false;
    this.#makeUpTicks();
    for (const input of inputs) input();
    this.#peers.settleBindings((change) => this.#effects.step({ kind: "change-members", change }));
    this.#proposals.offer();
    const question = this.#reads.takeQuestion();
    if (question !== undefined) this.#effects.step({ kind: "read", ticket: question });
    return this.#effects.sendEarly();
  }

  /** A process that was stopped counts the time, before anything else that it missed. */
  #makeUpTicks(): void {
    const count = this.#ticks.take();
    if (count === 0) return;
    for (let i = 0; i < count; i++) this.#effects.step({ kind: "tick" });
    this.#proposals.onTick();
    this.#reads.onTick(this.#node.now);
    this.#changes.onTick();
    this.#compact();
  }

  #perform(effect: RaftEffect): void {
    switch (effect.kind) {
      case "send":
        this.#options.link.send(effect.to, { kind: "raft", message: effect.message });
        return;
      case "commit":
        this.#delivery.onCommitted(effect.index);
        this.#use(() => this.#peers.onCommitted());
        return;
      case "compact":
        this.#use(() => this.#options.store.compact(effect.index));
        return;
      case "role-changed":
        this.#onRole();
        return;
      case "membership-changed":
        this.#use(() => this.#peers.update());
        this.#listener?.onStatus(this.status());
        return;
      case "read-ready":
        this.#reads.onReady(effect.ticket, effect.index);
        return;
      case "read-failed":
        this.#reads.onFailed(effect.ticket);
        return;
      case "send-snapshot":
        this.#sendSnapshot(effect);
        return;
      case "install-snapshot":
        this.#onInstalled(effect.snapshot.index);
        return;
      case "discard-snapshot":
        this.#discard(effect.index);
        return;
      case "transfer-ended":
        if (effect.reason !== undefined) this.#changes.onTransferFailed(effect.reason);
        return;
      // Their askers have looked at them; RaftEffects has done the rest.
      case "reject":
      case "change-refused":
      case "persist":
      case "replicate":
    }
  }

  #onRole(): void {
    this.#proposals.onLeader();
    this.#reads.onLeader();
    this.#changes.onLeader();
    this.#listener?.onStatus(this.status());
    this.#turns.wake();
  }

  #sendSnapshot({ to, term, atLeast }: RaftEffect & { readonly kind: "send-snapshot" }): void {
    const address = this.#peers.addressOf(to);
    const report = (index: LogIndex, isDone: boolean) =>
      this.#later(() => this.#effects.step({ kind: "snapshot-sent", to, index, isDone }));
    if (address === undefined || !this.#listener) {
      report(atLeast, false);
      return;
    }
    this.#listener.onSnapshotWanted({ to, address, term, atLeast }).then(
      (index) => report(index, true),
      () => report(atLeast, false),
    );
  }

  #discard(index: LogIndex): void {
    const snapshot = this.#delivery.onDiscarded(index);
    if (snapshot) this.#options.discard?.(snapshot);
  }

  /** The log begins after a snapshot: the state follows. */
  #onInstalled(index: LogIndex): void {
    const snapshot = this.#delivery.onInstalled(index);
    this.#proposals.onSnapshot(index);
    this.#listener?.onSnapshot(snapshot);
    this.#use(() => this.#peers.forgetDeparted());
  }

  /** Hands committed entries on; when there are many, the rest in the next turn. */
  #deliver(): void {
    this.#use(() => this.#delivery.deliver((entries) => this.#handOn(entries)));
    if (!this.#delivery.isDone) this.#turns.wake();
  }

  #handOn(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#proposals.onDelivered(entry);
      this.#changes.onDelivered(entry);
    }
    this.#listener?.onCommitted(entries);
  }

  #compact(): void {
    const index = this.#delivery.nextCompaction(this.#settings.keptEntries);
    if (index !== undefined) this.#effects.step({ kind: "compact", index });
  }

  /** Returns whether the store did it; if not, the member has stopped. */
  #use(work: () => void): boolean {
    if (this.#ended) return false;
    try {
      work();
      return true;
    } catch (error) {
      if (!(error instanceof LatticeError)) throw error;
      this.#fail(error.fault);
      return false;
    }
  }

  #fail(cause: Fault): void {
    if (this.#ended) return;
    this.#end(cause);
    void this.#options.link.close();
    this.#listener?.onFailed(cause);
  }

  #end(cause: Fault): void {
    if (this.#ended) return;
    this.#ended = cause;
    this.#stopTicking?.();
    this.#turns.end();
    this.#effects.drop();
    this.#proposals.end(cause);
    this.#reads.end(cause);
    this.#changes.end(cause);
  }
}
