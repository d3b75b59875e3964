/**
 * One server of a fake cluster: the real driver, replica and loops over a fake disk and
 * network. It starts, fails, is stopped, crashes and starts again; whatever its members of
 * the checkers need to see, they are shown.
 */
import type { Prng } from "../base/prng.ts";
import type { Fault } from "../core/domain/errors.ts";
import { LatticeError } from "../core/domain/errors.ts";
import type { MemberId, Membership } from "../core/raft/raft-types.ts";
import { stateHash } from "../core/state/state.ts";
import type { RunningServer } from "../engine/server/create-server.ts";
import { startServer } from "../engine/server/create-server.ts";
import { openAgentSession } from "../engine/server/operations/agents/agent-session.ts";
import type { RaftDriverSettings } from "../engine/server/raft/raft-settings.ts";
import { RaftDriver } from "../engine/server/raft-driver.ts";
import type { Server } from "../engine/server/server.ts";
import type { ServerSettings } from "../engine/server/settings.ts";
import type { AgentHello, AgentMessage, ServerMessage } from "../ports/agent-link.ts";
import type { CommittedEntry, Consensus } from "../ports/consensus.ts";
import type { PeerAddress } from "../ports/peer-link.ts";
import type { SimDisk } from "./disk/disk.ts";
import type { SimLogStore } from "./disk/log-store.ts";
import { createLog, hasLog, openLog } from "./disk/log-store.ts";
import { SimStateMirror } from "./disk/state-mirror.ts";
import { fakeSigner } from "./fake-signer.ts";
import type { SimNetwork } from "./network/network.ts";
import { SimSnapshots } from "./network/snapshots.ts";
import type { SimStream } from "./network/stream.ts";
import { NO_AUDIT_FILES } from "./no-audit-files.ts";
import { NO_BACKUPS } from "./no-backups.ts";
import { callOfAgent } from "./nodes/agent-call.ts";
import type { Observer } from "./observer.ts";
import { SILENT_LOG } from "./silent-log.ts";
import { uuidFrom } from "./uuid.ts";
import { happens, wholeWithin } from "./world/chance.ts";
import { SimProcess } from "./world/process.ts";

/** What a server is made from. */
export interface SimServerParts {
  readonly id: MemberId;
  readonly network: SimNetwork;
  readonly disk: SimDisk;
  readonly observer: Observer;
  readonly clockRate: number;
  readonly settings: ServerSettings;
  readonly driver: RaftDriverSettings;
  /** Those of its configuration, which is written when it first starts. */
  readonly seeds: () => readonly PeerAddress[];
}

/** Returns where a member's peers find it. */
export const addressOf = (id: MemberId): string => `s${id}:9000`;

/** One server, over all its lives. */
export class SimServer {
  readonly id: MemberId;
  readonly name: string;
  readonly process: SimProcess;
  readonly disk: SimDisk;
  readonly #parts: SimServerParts;
  readonly #random: Prng;
  #running: RunningServer | undefined;
  #store: SimLogStore | undefined;
  #seeds: readonly PeerAddress[] | undefined;
  /** Why it last refused to start. */
  refusal: Fault | undefined;

  constructor(parts: SimServerParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.name = `s${parts.id}`;
    this.disk = parts.disk;
    this.process = new SimProcess(parts.network.world, this.name, parts.clockRate);
    this.#random = parts.network.world.random(`server ${this.name}`);
  }

  /** The server of the present life; undefined while it is down. */
  get running(): Server | undefined {
    return this.#running?.server;
  }

  /** Its log, as far as it is open. */
  get store(): SimLogStore | undefined {
    return this.#store;
  }

  /** Makes the log of a new cluster, which begins with these members. */
  bootstrap(clusterId: string, ids: readonly MemberId[]): void {
    const storeId = uuidFrom(this.#random);
    const founders: Membership = {
      members: ids.map((id) => ({
        id,
        address: addressOf(id),
        storeId: id === this.id ? storeId : "",
        isVoter: true,
      })),
      departed: [],
    };
    createLog(this.disk, { clusterId, memberId: this.id, storeId }, founders);
  }

  start(): void {
    const { process } = this;
    process.begin();
    try {
      this.#open();
      this.refusal = undefined;
      process.world.log(this.name, "start", `life=${process.life} ${this.#store?.damage ?? ""}`);
    } catch (error) {
      if (!(error instanceof LatticeError)) throw error;
      this.refusal = error.fault;
      process.world.log(this.name, "refuses", error.fault.message);
      this.#die(false);
    }
  }

  /** Dies without a word; with a loss of power, what was not synced is gone. */
  crash(isPowerLost: boolean): void {
    if (!this.process.isUp) return;
    const lost = this.#die(isPowerLost);
    this.process.world.log(this.name, "crash", `${isPowerLost ? "power" : "killed"} lost=${lost}`);
  }

  /** Stops in order, as for an upgrade, and is gone when that is done. */
  async stop(): Promise<void> {
    const { life } = this.process;
    this.process.world.log(this.name, "stop");
    await this.#running?.stop().catch((error: unknown) => {
      // What its disk does not take any more is filled in from the log at the next start.
      if (!(error instanceof LatticeError)) throw error;
      this.#parts.observer.onStopped(this.id, error.fault);
    });
    this.process.emit(() => {
      if (this.process.life === life && this.process.isUp) this.#die(false);
    });
  }

  /** Takes in an agent's stream. */
  accept(stream: SimStream<AgentMessage, ServerMessage>, hello: AgentHello): void {
    const server = this.running;
    if (server === undefined) {
      stream.break("the server is starting");
      return;
    }
    let isGone = false;
    const early: AgentMessage[] = [];
    let receive = (message: AgentMessage): void => void early.push(message);
    let close = (): void => {};
    const end = stream.asCalled({
      onMessage: (message) => receive(message),
      onClosed: () => {
        isGone = true;
        close();
      },
    });
    const session = { send: (message: ServerMessage) => end.send(message), close: (why: string) => end.close(why) };
    openAgentSession(server, callOfAgent(hello.registration.nodeId), { hello, session }).then(
      (connection) => {
        receive = (message) => connection.receive(message);
        close = () => connection.close();
        for (const message of early) receive(message);
        if (isGone) close();
      },
      (error: unknown) => end.close(String(error)),
    );
  }

  #die(isPowerLost: boolean): number {
    this.process.crash();
    this.#parts.network.leave(this.id);
    this.#running = undefined;
    this.#store = undefined;
    return this.disk.crash(this.process.world.now, isPowerLost);
  }

  #open(): void {
    const { id, disk, process } = this;
    const { network, observer, driver } = this.#parts;
    this.#seeds ??= this.#parts.seeds();
    if (!hasLog(disk)) createLog(disk, { clusterId: "", memberId: id, storeId: uuidFrom(this.#random) });
    const onWrite: Parameters<typeof openLog>[0]["onWrite"] = (entries, before) =>
      observer.onWrite(id, entries, before);
    const store = openLog({ disk, process, onWrite }, id);
    this.#store = store;
    const mirror = new SimStateMirror(disk, process);
    this.#finishSnapshot(store, mirror);
    const consensus = new RaftDriver({
      store,
      link: network.linkOf(id, process, disk),
      clock: process.clock,
      random: network.world.random(`raft ${this.name}/${process.life}`),
      address: addressOf(id),
      seeds: this.#seeds,
      settings: driver,
      defer: this.#defer(),
    });
    this.#running = startServer(this.#serverParts(store, mirror, this.#watched(consensus)));
  }

  /** A crash between the log and the state of a snapshot is made good from the staged one. */
  #finishSnapshot(store: SimLogStore, mirror: SimStateMirror): void {
    const { compactedIndex, compactedTerm } = store.load().shape;
    if (mirror.applied().index < compactedIndex) {
      for (const [path, { meta }] of this.disk.staged) {
        if (meta.index === compactedIndex && meta.term === compactedTerm) mirror.replaceNow(path);
      }
    }
    this.disk.staged.clear();
  }

  #serverParts(store: SimLogStore, mirror: SimStateMirror, consensus: Consensus) {
    const { id, process, disk } = this;
    const { network, settings, observer } = this.#parts;
    const random = network.world.random(`entropy ${this.name}/${process.life}`);
    return {
      version: "sim",
      get clusterId() {
        return store.identity.clusterId;
      },
      advertise: `${this.name}:50051`,
      clock: process.clock,
      entropy: { uuid: () => uuidFrom(random) },
      log: SILENT_LOG,
      settings,
      mirror,
      snapshots: new SimSnapshots(network, { id, process, disk }),
      consensus,
      backups: NO_BACKUPS,
      signer: fakeSigner(this.name),
      auditFiles: NO_AUDIT_FILES,
      onFailed: (cause: Fault) => {
        process.world.log(this.name, "fails", cause.message);
        observer.onStopped(id, cause);
        const { life } = process;
        process.world.after(0, () => {
          if (process.life === life) this.#die(false);
        });
      },
    };
  }

  /** What comes at once shares a turn; how long "at once" is differs between runs. */
  #defer(): (callback: () => void) => void {
    const { clock } = this.process;
    const isPrompt = happens(this.#random, 0.5);
    return isPrompt ? queueMicrotask : (callback) => void clock.after(0.2, callback);
  }

  /** Shows the checkers what the log delivers, and the state after it, in parts of any size. */
  #watched(inner: Consensus): Consensus {
    const { id } = this;
    const { observer } = this.#parts;
    return {
      start: (listener, applied) =>
        inner.start(
          {
            onCommitted: (entries) => {
              for (const part of this.#split(entries)) {
                const { term } = inner.status();
                for (const entry of part) this.#show(() => observer.onCommitted(id, entry, term));
                listener.onCommitted(part);
                this.#showState();
              }
            },
            onSnapshot: (snapshot) => {
              listener.onSnapshot(snapshot);
              this.#showState();
            },
            onSnapshotWanted: (order) => listener.onSnapshotWanted(order),
            onRejected: (proposals, fault) => listener.onRejected(proposals, fault),
            onRelayed: (from, data) => listener.onRelayed(from, data),
            onStatus: (status) => {
              const shape = this.#store?.load().shape;
              const { term } = status;
              if (status.leader === id && shape) this.#show(() => observer.onLeader(id, term, shape));
              listener.onStatus(status);
            },
            onFailed: (fault) => listener.onFailed(fault),
          },
          applied,
        ),
      propose: (proposal, data) => inner.propose(proposal, data),
      readIndex: () => inner.readIndex(),
      changeMembers: (change) => inner.changeMembers(change),
      transfer: (to) => inner.transfer(to),
      relay: (to, data) => inner.relay(to, data),
      compact: (index) => inner.compact(index),
      status: () => inner.status(),
      close: () => inner.close(),
    };
  }

  #split(entries: readonly CommittedEntry[]): readonly (readonly CommittedEntry[])[] {
    if (entries.length === 1) return [entries];
    const cut = wholeWithin(this.#random, [1, entries.length]);
    return cut === entries.length ? [entries] : [entries.slice(0, cut), entries.slice(cut)];
  }

  #showState(): void {
    const replica = this.running?.replica;
    if (replica === undefined) return;
    const { state, applied } = replica;
    const hash = stateHash(state);
    this.#parts.observer.onState(applied, state);
    this.#show(() => this.#parts.observer.onApplied(this.id, applied, hash));
  }

  /** What a crash takes back must not have been seen. */
  #show(act: () => void): void {
    this.process.emit(act);
  }
}
