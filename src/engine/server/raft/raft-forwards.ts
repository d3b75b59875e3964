/**
 * Proposals under way between members: those that this one forwarded and whose outcome it
 * waits for, recognised by their bytes among the committed entries, and the numbers of
 * those that came in, so that a repeated frame is not appended twice.
 */
import type { Term } from "../../../base/brand.ts";
import type { MemberId } from "../../../core/raft/raft-types.ts";

/** A proposal of this member that the leader was sent. */
export interface Forwarded {
  readonly proposal: number;
  readonly data: Uint8Array;
  /** When it was proposed, in ticks. */
  readonly since: number;
  readonly to: MemberId;
  /** The leader's when it was sent. */
  readonly term: Term;
  readonly sentAt: number;
}

interface Out extends Forwarded {
  readonly number: number;
  readonly key: number;
  /** Since when its leader may be gone. */
  orphanedAt: number | undefined;
  /** The link to that leader is lost: it sends nothing back any more. */
  isCutOff: boolean;
}

/** A leader that answers nothing for this many times the patience has lost what it was sent. */
const SILENCE_FACTOR = 4;
/** Bytes at either end that tell most proposals apart. */
const KEY_BYTES = 48;
/** Numbers remembered of one member. */
const SEEN_MAX = 50_000;

/** The proposals that this member forwarded and whose outcome it waits for. */
export class ForwardedOut {
  readonly #patience: number;
  /** By number, oldest first. */
  readonly #out = new Map<number, Out>();
  readonly #byKey = new Map<number, Out[]>();
  #number: number;

  /** `patience`: ticks to wait for the outcome once the leader may be gone. */
  constructor(patience: number, firstNumber: number) {
    this.#patience = patience;
    this.#number = firstNumber;
  }

  /** Notes a proposal and returns the number under which it travels. */
  add(forwarded: Forwarded): number {
    const number = this.#number++;
    const out: Out = { ...forwarded, number, key: keyOf(forwarded.data), orphanedAt: undefined, isCutOff: false };
    this.#out.set(number, out);
    const same = this.#byKey.get(out.key);
    if (same) same.push(out);
    else this.#byKey.set(out.key, [out]);
    return number;
  }

  /** The entry with these bytes is committed. */
  settle(data: Uint8Array): void {
    if (this.#out.size === 0) return;
    const out = this.#byKey.get(keyOf(data))?.find((o) => isEqual(o.data, data));
    if (out) this.#drop(out);
  }

  /** Those sent to members that `isGone` names may be lost. */
  orphan(isGone: (to: MemberId) => boolean, now: number): void {
    for (const out of this.#out.values()) if (isGone(out.to)) out.orphanedAt ??= now;
  }

  /** The link to `to` is lost. */
  cutOff(to: MemberId, now: number): void {
    this.orphan((other) => other === to, now);
    for (const out of this.#out.values()) if (out.to === to) out.isCutOff = true;
  }

  /**
   * An entry of `term` is committed, and what earlier leaders appended stands before it:
   * returns those of them that are cut off, and forgets them. No news of them will come.
   */
  takeOvertaken(term: Term): readonly Forwarded[] {
    const overtaken = [...this.#out.values()].filter((out) => out.isCutOff && out.term < term);
    for (const out of overtaken) this.#drop(out);
    return overtaken;
  }

  /** Returns those that `from` sends back, and forgets them. */
  takeBack(from: MemberId, numbers: readonly number[]): readonly Forwarded[] {
    const back = numbers.flatMap((number) => this.#out.get(number) ?? []).filter((out) => out.to === from);
    for (const out of back) this.#drop(out);
    return back;
  }

  /** Returns those whose outcome is not waited for any longer, and forgets them. */
  takeLate(now: number): readonly Forwarded[] {
    const late: Out[] = [];
    for (const out of this.#out.values()) {
      const isOrphaned = out.orphanedAt !== undefined && now - out.orphanedAt >= this.#patience;
      if (isOrphaned || now - out.sentAt >= SILENCE_FACTOR * this.#patience) late.push(out);
    }
    for (const out of late) this.#drop(out);
    return late;
  }

  /** Returns all, and forgets them. */
  takeAll(): readonly Forwarded[] {
    const all = [...this.#out.values()];
    this.#out.clear();
    this.#byKey.clear();
    return all;
  }

  #drop(out: Out): void {
    this.#out.delete(out.number);
    const same = this.#byKey.get(out.key) ?? [];
    if (same.length === 1) this.#byKey.delete(out.key);
    else same.splice(same.indexOf(out), 1);
  }
}

/** The forwarded proposals that came in since each link began. */
export class SeenForwards {
  readonly #seen = new Map<MemberId, Set<number>>();

  /** Returns whether this number comes for the first time. */
  isNew(from: MemberId, number: number): boolean {
    const seen = this.#seen.get(from) ?? new Set();
    this.#seen.set(from, seen);
    if (seen.has(number)) return false;
    seen.add(number);
    if (seen.size > SEEN_MAX) for (const oldest of seen) return seen.delete(oldest);
    return true;
  }

  forget(member: MemberId): void {
    this.#seen.delete(member);
  }
}

/** FNV-1a over the length and both ends. */
function keyOf(data: Uint8Array): number {
  let key = 0x811c9dc5 ^ data.length;
  const mix = (from: number, to: number): void => {
    for (let i = from; i < to; i++) key = Math.imul(key ^ (data[i] ?? 0), 0x01000193);
  };
  mix(0, Math.min(KEY_BYTES, data.length));
  mix(Math.max(KEY_BYTES, data.length - KEY_BYTES), data.length);
  return key;
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
