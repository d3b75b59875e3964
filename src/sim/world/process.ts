/**
 * One process of the fake world: it starts, is paused, is busy, crashes and starts again.
 * Whatever happens to it waits while it cannot run; whatever it does while its disk keeps
 * it busy becomes visible when the disk is done, or never, when it dies before.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { World } from "./world.ts";

/** The wall clock when a world begins. */
const EPOCH_MS = 1_700_000_000_000;

interface Work {
  readonly life: number;
  readonly run: () => void;
}

/** A process. Its disk outlives it; its timers and what it was about to do do not. */
export class SimProcess {
  readonly clock: Clock;
  /** How fast its clocks run. */
  readonly rate: number;
  /** How far its wall clock is off. */
  wallOffsetMs = 0;
  #life = 0;
  #isUp = false;
  #pausedUntil = 0;
  #busyUntil = 0;
  readonly #inbox: Work[] = [];
  #isWakeDue = false;

  constructor(
    readonly world: World,
    readonly name: string,
    rate = 1,
  ) {
    this.rate = rate;
    this.clock = {
      now: () => this.#wall(),
      monotonic: () => this.localNow * this.rate,
      after: (delayMs, callback) => this.#timer(delayMs, callback),
      every: (periodMs, callback) => this.#interval(periodMs, callback),
    };
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Counts its lives. */
  get life(): number {
    return this.#life;
  }

  get isPaused(): boolean {
    return this.#pausedUntil > this.world.now;
  }

  /** Its own time: ahead of the world's while its disk keeps it busy. */
  get localNow(): number {
    return Math.max(this.world.now, this.#busyUntil);
  }

  /** Begins a life. */
  begin(): void {
    this.#isUp = true;
    this.#life += 1;
    this.#pausedUntil = 0;
    this.#busyUntil = 0;
  }

  /** Ends it at once: whatever was not yet visible never happened. */
  crash(): void {
    this.#isUp = false;
    this.#inbox.length = 0;
  }

  /** Stops it for a while, as a signal does. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.world.now + ms);
  }

  /** Lets it run again. */
  resume(): void {
    this.#pausedUntil = this.world.now;
    this.#isWakeDue = false;
    if (this.#inbox.length > 0) this.#wake();
  }

  /** Keeps it busy: what it does from here on is visible only afterwards. Returns when that is. */
  spend(ms: number): number {
    this.#busyUntil = this.localNow + ms;
    return this.#busyUntil;
  }

  /** Lets something happen to it, as soon as it can run; one thing at a time, in order. */
  receive(run: () => void): void {
    if (!this.#isUp) return;
    if (this.#inbox.length === 0 && this.#readyAt <= this.world.now) {
      run();
      return;
    }
    this.#inbox.push({ life: this.#life, run });
    this.#wake();
  }

  /** Lets something that it does become visible. */
  emit(act: () => void): void {
    const life = this.#life;
    const attempt = (): void => {
      if (!this.#isUp || life !== this.#life) return;
      if (this.#pausedUntil > this.world.now) this.world.at(this.#pausedUntil, attempt);
      else act();
    };
    if (this.localNow > this.world.now) this.world.at(this.localNow, attempt);
    else attempt();
  }

  get #readyAt(): number {
    return Math.max(this.#pausedUntil, this.#busyUntil);
  }

  #wake(): void {
    if (this.#isWakeDue) return;
    this.#isWakeDue = true;
    this.world.at(this.#readyAt, () => {
      this.#isWakeDue = false;
      const work = this.#readyAt <= this.world.now ? this.#inbox.shift() : undefined;
      if (this.#isUp && work?.life === this.#life) work.run();
      if (this.#inbox.length > 0) this.#wake();
    });
  }

  #wall(): Millis {
    return millis(Math.floor(EPOCH_MS + this.localNow * this.rate + this.wallOffsetMs));
  }

  #timer(delayMs: number, callback: () => void): CancelTimer {
    let isOver = false;
    const fire = (): void => {
      if (!isOver) callback();
    };
    const life = this.#life;
    const cancel = this.world.at(this.localNow + delayMs / this.rate, () => {
      if (life === this.#life && !isOver) this.receive(fire);
    });
    return () => {
      isOver = true;
      cancel();
    };
  }

  /** Misses beats while the process cannot run, as the host's does. */
  #interval(periodMs: number, callback: () => void): CancelTimer {
    let cancel: CancelTimer = () => {};
    const beat = (): void => {
      cancel = this.#timer(periodMs, () => {
        beat();
        callback();
      });
    };
    beat();
    return () => cancel();
  }
}
