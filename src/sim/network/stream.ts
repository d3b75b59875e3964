/**
 * A connection between two fake processes over which messages arrive in order, each once,
 * or not at all once it has broken: what HTTP/2 over TCP gives. Loss costs a retransmission;
 * a path that stays cut breaks it.
 */
import type { Prng } from "../../base/prng.ts";
import { happens, within } from "../world/chance.ts";
import type { SimProcess } from "../world/process.ts";
import type { SimNetwork } from "./network.ts";
import { pathOf } from "./network.ts";

const RETRANSMIT_MS = 200;
const SILENCE_MS = [1_000, 4_000] as const;

/** One end of a stream. */
export interface StreamEnd<Out> {
  send(message: Out): void;
  close(reason: string): void;
}

/** What an end is told. */
export interface StreamListener<In> {
  onMessage(message: In): void;
  onClosed(reason: string): void;
}

interface Side {
  readonly process: SimProcess;
  readonly life: number;
  /** When the last message towards this side arrives. */
  arrivesAt: number;
  /** Until when nothing gets through to it. */
  stuckUntil: number;
  isTold: boolean;
}

/** A stream from its caller to who was called. */
export class SimStream<Up, Down> {
  readonly #network: SimNetwork;
  readonly #random: Prng;
  readonly #caller: Side;
  readonly #called: Side;
  #upward: StreamListener<Up> | undefined;
  #downward: StreamListener<Down> | undefined;
  #isOpen = true;

  constructor(network: SimNetwork, ends: { readonly caller: SimProcess; readonly called: SimProcess }, random: Prng) {
    this.#network = network;
    this.#random = random;
    const side = (process: SimProcess): Side => ({
      process,
      life: process.life,
      arrivesAt: 0,
      stuckUntil: 0,
      isTold: false,
    });
    this.#caller = side(ends.caller);
    this.#called = side(ends.called);
  }

  /** Returns the caller's end. */
  asCaller(listener: StreamListener<Down>): StreamEnd<Up> {
    this.#downward = listener;
    return {
      send: (message) => this.#carry(this.#caller, this.#called, () => this.#upward?.onMessage(message)),
      close: (reason) => this.#close(this.#caller, reason),
    };
  }

  /** Returns the end of who was called. */
  asCalled(listener: StreamListener<Up>): StreamEnd<Down> {
    this.#upward = listener;
    return {
      send: (message) => this.#carry(this.#called, this.#caller, () => this.#downward?.onMessage(message)),
      close: (reason) => this.#close(this.#called, reason),
    };
  }

  /** Breaks it, as when one end dies. */
  break(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#tell(this.#caller, () => this.#downward?.onClosed(reason));
    this.#tell(this.#called, () => this.#upward?.onClosed(reason));
  }

  #close(by: Side, reason: string): void {
    by.isTold = true;
    by.process.emit(() => this.break(reason));
  }

  #tell(side: Side, act: () => void): void {
    if (side.isTold) return;
    side.isTold = true;
    this.#network.world.after(within(this.#random, [1, 50]), () => {
      if (side.process.life === side.life) side.process.receive(act);
    });
  }

  #carry(from: Side, to: Side, act: () => void): void {
    if (from.isTold) return;
    from.process.emit(() => {
      if (this.#isOpen) this.#transmit(from, to, act);
    });
  }

  #transmit(from: Side, to: Side, act: () => void): void {
    const { world, faults } = this.#network;
    const path = pathOf(from.process.name, to.process.name);
    const isLost = happens(this.#random, faults.lossRate);
    const arrivesAt = world.now + within(this.#random, faults.delayMs) + (isLost ? RETRANSMIT_MS : 0);
    to.arrivesAt = Math.max(to.arrivesAt, arrivesAt);
    world.at(to.arrivesAt, () => this.#arrive(path, to, act));
  }

  #arrive(path: string, to: Side, act: () => void): void {
    const { world } = this.#network;
    if (!this.#isOpen) return;
    if (to.stuckUntil > world.now) world.at(to.stuckUntil, () => this.#arrive(path, to, act));
    else if (to.process.life !== to.life || !to.process.isUp) this.break("the other end is gone");
    else if (this.#network.isBlocked(path)) this.#stall(path, to, act);
    else to.process.receive(() => (to.isTold ? undefined : act()));
  }

  /** Nothing passes: what was to come waits, and is lost when that lasts. */
  #stall(path: string, to: Side, act: () => void): void {
    const { world } = this.#network;
    to.stuckUntil = world.now + within(this.#random, SILENCE_MS);
    world.at(to.stuckUntil, () => {
      if (this.#network.isBlocked(path)) this.break("nothing is heard any more");
      else this.#arrive(path, to, act);
    });
  }
}
