/**
 * Steps the core and carries out its effects in the order that durability asks for: what
 * may leave leaves before the next write, so that appends travel while this member
 * writes; all writes at hand are one; then whatever waited for them.
 */
import { assert } from "../../../base/assert.ts";
import { logIndex } from "../../../base/brand.ts";
import type { RaftNode } from "../../../core/raft/node-state.ts";
import { step } from "../../../core/raft/raft-node.ts";
import type { RaftEffect, RaftInput } from "../../../core/raft/raft-types.ts";
import type { PersistEffect, RaftLog } from "./raft-log.ts";

/** Bytes of entries in one append. */
const APPEND_BYTES_MAX = 1 << 20;

type Replicate = RaftEffect & { readonly kind: "replicate" };
type Install = RaftEffect & { readonly kind: "install-snapshot" };

/** Carries out what the log does not do itself. */
export interface EffectsHost {
  perform(effect: RaftEffect): void;
  /** Returns whether the store did it; if not, the member has stopped. */
  use(work: () => void): boolean;
}

export class RaftEffects {
  readonly #node: RaftNode;
  readonly #log: RaftLog;
  readonly #host: EffectsHost;
  #queue: RaftEffect[] = [];
  /** The last ticket on stable storage. */
  #durable = 0;

  constructor(node: RaftNode, log: RaftLog, host: EffectsHost) {
    this.#node = node;
    this.#log = log;
    this.#host = host;
  }

  /** Gives the core one input; what it decides waits for carryOut. Returns it for whoever looks for an answer. */
  step(input: RaftInput): readonly RaftEffect[] {
    const effects = step(this.#node, input);
    for (const effect of effects) {
      if (effect.kind === "persist") this.#log.decide(effect);
      if (effect.kind === "install-snapshot") this.#log.clear();
      // Filled in at once: a later decision may drop these entries.
      if (effect.kind === "replicate") this.#fill(effect);
      else this.#queue.push(effect);
    }
    return effects;
  }

  /** Sends what needs no further write; returns whether anything was sent while a write is to be done. */
  sendEarly(): boolean {
    const isReady = (e: RaftEffect): boolean => e.kind === "send" && e.after <= this.#durable;
    const ready = this.#queue.filter(isReady);
    if (ready.length === 0) return false;
    this.#queue = this.#queue.filter((effect) => !isReady(effect));
    for (const effect of ready) this.#host.perform(effect);
    return this.#queue.some((effect) => effect.kind === "persist");
  }

  /** Does everything that is decided, and what follows from it. */
  carryOut(): void {
    while (this.#queue.length > 0) {
      this.sendEarly();
      this.#write();
      this.#performReady();
    }
  }

  /** Forgets what is not done yet: the member has stopped. */
  drop(): void {
    this.#queue = [];
  }

  #fill({ after, to, term, commit, first, last, prevTerm }: Replicate): void {
    let prevIndex = logIndex(first - 1);
    let before = prevTerm;
    do {
      const entries = prevIndex < last ? this.#log.read(logIndex(prevIndex + 1), last, APPEND_BYTES_MAX) : [];
      assert(entries.length > 0 || prevIndex >= last, `entry ${prevIndex + 1} is to be sent and not in the log`);
      const message = { kind: "append", term, prevIndex, prevTerm: before, commit, entries } as const;
      this.#queue.push({ kind: "send", after, to, message });
      const end = entries.at(-1);
      if (end) [prevIndex, before] = [end.index, end.term];
    } while (prevIndex < last);
  }

  /** Writes all that is decided up to the next snapshot, or installs that when it is first. */
  #write(): void {
    const first = this.#queue[0];
    if (first?.kind === "install-snapshot") {
      this.#queue.shift();
      this.#install(first);
      return;
    }
    const install = this.#queue.findIndex((effect) => effect.kind === "install-snapshot");
    const before = install < 0 ? this.#queue : this.#queue.slice(0, install);
    const writes = before.filter((effect) => effect.kind === "persist");
    if (writes.length === 0) return;
    this.#queue = [
      ...before.filter((effect) => effect.kind !== "persist"),
      ...(install < 0 ? [] : this.#queue.slice(install)),
    ];
    if (this.#host.use(() => this.#log.persist(writes))) this.#confirm(writes);
  }

  #install(effect: Install): void {
    if (!this.#host.use(() => this.#log.install(effect.hardState, effect.snapshot))) return;
    this.#host.perform(effect);
    this.#confirm([effect]);
  }

  #confirm(writes: readonly (PersistEffect | Install)[]): void {
    for (const { ticket } of writes) {
      this.#durable = ticket;
      this.step({ kind: "persisted", ticket });
    }
  }

  /** Does everything up to the next write. */
  #performReady(): void {
    for (let effect = this.#queue[0]; effect; effect = this.#queue[0]) {
      if (effect.kind === "persist" || effect.kind === "install-snapshot") return;
      this.#queue.shift();
      assert(effect.kind !== "send" || effect.after <= this.#durable, "a message waits for a write that nobody began");
      this.#host.perform(effect);
    }
  }
}
