/**
 * Why an allocation that a pass has judged waits: what is set for it (a time, a quota),
 * what is promised to others, and what the nodes lack. Made on request only, for a pass
 * that nobody asks is faster without.
 */
import { millis } from "../../base/brand.ts";
import { compareNumber } from "../../base/compare.ts";
import { isDuring } from "../domain/nodes/node-reservation.ts";
import type { Reason } from "../domain/reason.ts";
import { reason } from "../domain/reason.ts";
import { mayBorrow } from "../domain/tenant.ts";
import type { PendingView } from "../domain/view.ts";
import { endOf } from "./availability.ts";
import type { Pass, Reservation, Standing } from "./pass.ts";
import {
  borrowingOf,
  capOver,
  isTooLate,
  isUnderCap,
  nodesHeldBy,
  nodesLeft,
  nodesMaxOf,
  standingOf,
  stayOf,
} from "./pass.ts";
import { selectNodes } from "./select-nodes.ts";
import { capText } from "./sharing/caps.ts";
import { closing, openDuring } from "./sharing/closed-nodes.ts";
import { loansOf, loanText } from "./sharing/loans.ts";
import { reasonsOf } from "./why-waiting.ts";

/** What equal demands share as long as the pass takes nothing. */
interface Known {
  readonly version: number;
  readonly fitsNow: boolean;
  /** The nodes that it cannot do without. */
  readonly needed: number;
  /** What others hold, or what the nodes lack. */
  readonly lacking: readonly Reason[];
  /** The same without advice to ask for less, which is no sure way to start where nodes are kept. */
  readonly lackingPlain: readonly Reason[];
  /** For whom its nodes are kept, by the first promise that it would delay. */
  readonly reserved: Map<Reservation | undefined, readonly Reason[]>;
}

/** Makes the reasons of one pass. */
export class PassReasons {
  readonly #pass: Pass;
  readonly #known = new Map<Standing, Known>();

  constructor(pass: Pass) {
    this.#pass = pass;
  }

  /** Returns why an allocation waits; empty when nothing but its place in the queue keeps it. */
  of(pending: PendingView): readonly Reason[] {
    const pass = this.#pass;
    const standing = standingOf(pass, pending);
    const known = this.#knownOf(standing);
    const closed = closedReasons(pass, standing, pending);
    const own = both(orderReasons(pass, pending), ownReasons(pass, pending, known.needed));
    const onOthers = this.#othersReasons(standing, known, pending);
    const others = closed.length > 0 || isSet(pass, pending) ? onOthers.map(withoutChange) : onOthers;
    const limits = both(loanReasons(pass, standing, pending), capReasons(pass, standing, pending));
    return both(both(own, closed), both(others, limits));
  }

  #othersReasons(standing: Standing, known: Known, pending: PendingView): readonly Reason[] {
    const { walltimeMs } = pending;
    const pass = this.#pass;
    const end = endOf(pass.now, walltimeMs);
    const isBehind = pass.isClosed || end > firstPromise(pass) || isUnderCap(pass, pending);
    if (!known.fitsNow) return isBehind ? known.lackingPlain : known.lacking;
    if (pass.isClosed) return PRIORITY;
    return isHeld(pass, standing, end) ? reservedReasons(pass, known, { standing, end }) : NONE;
  }

  #knownOf(standing: Standing): Known {
    const { index } = this.#pass;
    const before = this.#known.get(standing);
    if (before?.version === index.version) return before;
    const { demand } = standing;
    const selection = standing.isBlocked ? undefined : selectNodes(demand);
    const lacking = selection ? NONE : reasonsOf(index, demand);
    const known: Known = {
      version: index.version,
      fitsNow: selection !== undefined,
      needed: selection?.needed ?? demand.request.nodesMin,
      lacking,
      lackingPlain: lacking.map(withoutChange),
      reserved: new Map(),
    };
    this.#known.set(standing, known);
    return known;
  }
}

const NONE: readonly Reason[] = [];
/** Most lists are empty, and nothing is copied for those. */
const both = (first: readonly Reason[], second: readonly Reason[]): readonly Reason[] => {
  if (second.length === 0) return first;
  return first.length === 0 ? second : [...first, ...second];
};
const PRIORITY: readonly Reason[] = [reason("PRIORITY")];

/** The first that waits in a vCluster which places in order does not wait for itself. */
function orderReasons({ stopped }: Pass, { vcluster, shortId }: PendingView): readonly Reason[] {
  const first = stopped.get(vcluster);
  return first === undefined || first === shortId ? NONE : [reason("VCLUSTER_ORDER", `${first} is before it`)];
}

/** It would be on nodes that are reserved before it must have ended. */
function closedReasons(pass: Pass, { demand }: Standing, pending: PendingView): readonly Reason[] {
  const { now } = pass;
  const end = endOf(now, pending.walltimeMs);
  const open = openDuring(demand, now, end);
  if (open === demand || selectNodes(open, stayOf(pass, pending.walltimeMs))) return NONE;
  const closed = demand.offers.flatMap((offer) => closing(demand, offer)).filter((one) => isDuring(one, now, end));
  const first = closed.reduce((a, b) => (b.from < a.from ? b : a));
  const span = `from ${new Date(first.from).toISOString()} until ${new Date(first.until).toISOString()}`;
  const detail = `${first.name}, ${span}${first.reason === "" ? "" : `: ${first.reason}`}`;
  const minutes = Math.floor((Math.min(first.from, pending.deadline ?? first.from) - now) / 60_000);
  const shorter = millis(minutes * 60_000);
  const isEnough = minutes > 0 && selectNodes(openDuring(demand, now, now + shorter), stayOf(pass, shorter));
  return [reason("NODES_RESERVED", detail, isEnough ? `ask for a walltime of at most ${minutes} min` : undefined)];
}

/** It would start at once on what others have free, but they lend no more of it. */
function loanReasons(pass: Pass, standing: Standing, pending: PendingView): readonly Reason[] {
  if (pass.isClosed || !mayBorrow(pending) || !standing.isBlocked) return NONE;
  const borrowing = borrowingOf(pass, standing);
  if (!borrowing || !selectNodes(borrowing.demand)) return NONE;
  return [reason("LOAN_LIMIT", loanText(pass.view, pass.loans ?? loansOf(pass.view), borrowing.demand))];
}

/** It has its nodes, but not what it would draw there. */
function capReasons(pass: Pass, standing: Standing, pending: PendingView): readonly Reason[] {
  if (standing.isBlocked || !isUnderCap(pass, pending)) return NONE;
  const selection = selectNodes(standing.demand);
  const found = selection && capOver(pass, pending, selection.picks);
  if (!found) return NONE;
  const code = found.cap.dimension === "powerWatts" ? "POWER_CAP" : "STORAGE_CAP";
  return [reason(code, capText(found.cap, found.draw))];
}

function ownReasons(pass: Pass, pending: PendingView, needed: number): readonly Reason[] {
  const isEarly = pending.notBefore !== undefined && pending.notBefore > pass.now;
  const isOverQuota = nodesLeft(pass, pending.tenant) < needed;
  const late = lateReasons(pass, pending);
  if (!isEarly && !isOverQuota) return late;
  return [...late, ...notBeforeReasons(pass, pending), ...quotaReasons(pass, pending, needed)];
}

function lateReasons({ now }: Pass, pending: PendingView): readonly Reason[] {
  const { deadline } = pending;
  return deadline !== undefined && isTooLate(pending, now)
    ? [reason("DEADLINE", new Date(deadline).toISOString())]
    : NONE;
}

function notBeforeReasons(pass: Pass, { notBefore }: PendingView): readonly Reason[] {
  if (notBefore === undefined || notBefore <= pass.now) return [];
  return [reason("NOT_BEFORE", new Date(notBefore).toISOString())];
}

function quotaReasons(pass: Pass, { tenant }: PendingView, needed: number): readonly Reason[] {
  const nodesMax = nodesMaxOf(pass, tenant);
  const held = nodesHeldBy(pass, tenant);
  const left = nodesMax - held;
  if (left >= needed) return [];
  const detail = `${tenant} holds ${held} of ${nodesMax}, this needs ${needed}`;
  return [left > 0 ? reason("QUOTA_NODES", detail, `ask for at most ${left} nodes`) : reason("QUOTA_NODES", detail)];
}

/** The earliest start that is promised. */
const firstPromise = ({ reservations }: Pass): number =>
  reservations.reduce((first, { startsBy }) => Math.min(first, startsBy), Number.POSITIVE_INFINITY);

/** Advice that would have it start at once, which is not sure where something else is in the way. */
const AT_ONCE: ReadonlySet<string> = new Set(["NODES_BUSY", "RESERVED"]);
const withoutChange = (one: Reason): Reason => (AT_ONCE.has(one.code) ? { code: one.code, message: one.message } : one);

/** Returns whether a set time keeps it waiting, whatever is free, or allows less than the advice would. */
const isSet = ({ now }: Pass, pending: PendingView): boolean =>
  (pending.notBefore ?? 0) > now ||
  isTooLate(pending, now) ||
  (pending.deadline !== undefined && pending.walltimeMs === 0);

/** The judge has found out from which length on; what he did not look at is looked at here. */
function isHeld({ availability, now, reservations }: Pass, { demand, heldFrom }: Standing, end: number): boolean {
  if (!availability || reservations.length === 0) return false;
  if (heldFrom !== undefined && end - now >= heldFrom) return true;
  return !selectNodes(demand, { availability, end });
}

function reservedReasons(
  pass: Pass,
  { reserved }: Known,
  { standing, end }: { readonly standing: Standing; readonly end: number },
): readonly Reason[] {
  const first = pass.reservations.find(({ startsBy }) => startsBy < end);
  const known = reserved.get(first);
  if (known) return known;
  const detail = first && `${first.shortId} is to start by ${new Date(first.startsBy).toISOString()}`;
  const minutes = Math.floor(longestStay(pass, standing) / 60_000);
  const change = minutes > 0 ? `ask for a walltime of at most ${minutes} min` : undefined;
  const made = [reason("RESERVED", detail, change)];
  reserved.set(first, made);
  return made;
}

/** Returns how long work of this demand may run that starts now and delays nothing. */
function longestStay({ availability, now }: Pass, { demand }: Standing): number {
  if (!availability) return Number.POSITIVE_INFINITY;
  const times = demand.offers.flatMap(({ of }) => availability.profiles.get(of)?.times ?? []);
  const ends = [...new Set(times)].filter((time) => time > now).sort(compareNumber);
  let low = 0;
  for (let high = ends.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (selectNodes(demand, { availability, end: ends[middle] ?? now })) low = middle + 1;
    else high = middle;
  }
  return (ends[low - 1] ?? now) - now;
}
