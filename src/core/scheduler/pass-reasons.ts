/**
 * Why an allocation that a pass has judged waits: what is set for it (a time, a quota),
 * what is promised to others, and what the nodes lack. Made on request only, for a pass
 * that nobody asks is faster without.
 */
import type { Millis } from "../../base/brand.ts";
import type { Reason } from "../domain/reason.ts";
import { reason } from "../domain/reason.ts";
import type { PendingView } from "../domain/view.ts";
import { endOf } from "./availability.ts";
import type { Pass, Standing } from "./pass.ts";
import { nodesHeldBy, nodesMaxOf, standingOf } from "./pass.ts";
import { selectNodes } from "./select-nodes.ts";
import { reasonsOf } from "./why-waiting.ts";

/** Reasons that equal demands share as long as the pass takes nothing. */
interface Known {
  readonly version: number;
  readonly fitsNow: boolean;
  /** The nodes that it cannot do without. */
  readonly needed: number;
  /** What others hold, or what the nodes lack. */
  readonly lacking: readonly Reason[];
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
    const { needed, fitsNow, lacking } = this.#lackingOf(standing);
    const own = [...notBeforeReasons(pass, pending), ...quotaReasons(pass, pending, needed)];
    if (!fitsNow) return [...own, ...(isHeldOff(pass, pending) ? lacking.map(withoutChange) : lacking)];
    if (pass.isClosed) return [...own, reason("PRIORITY")];
    return isHeld(pass, standing, pending) ? [...own, reservedReason(pass, standing, pending)] : own;
  }

  #lackingOf(standing: Standing): Known {
    const { index } = this.#pass;
    const before = this.#known.get(standing);
    if (before?.version === index.version) return before;
    const { demand } = standing;
    const selection = standing.isBlocked ? undefined : selectNodes(demand);
    const needed = selection?.needed ?? demand.request.nodesMin;
    const lacking = selection ? [] : reasonsOf(index, demand);
    const known = { version: index.version, fitsNow: selection !== undefined, needed, lacking };
    this.#known.set(standing, known);
    return known;
  }
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

/** Whether it would outlast the first start that is promised. */
function isHeldOff({ reservations, now }: Pass, { walltimeMs }: PendingView): boolean {
  const end = endOf(now, walltimeMs);
  return reservations.some(({ startsBy }) => end > startsBy);
}

/** Some of the free nodes may be kept: asking for fewer is no sure way to start. */
const withoutChange = (one: Reason): Reason =>
  one.code === "NODES_BUSY" ? { code: one.code, message: one.message } : one;

function isHeld({ availability, now }: Pass, { demand }: Standing, { walltimeMs }: PendingView): boolean {
  return availability !== undefined && !selectNodes(demand, { availability, end: endOf(now, walltimeMs) });
}

function reservedReason(pass: Pass, standing: Standing, { walltimeMs }: PendingView): Reason {
  const end = endOf(pass.now, walltimeMs);
  const first = pass.reservations.find(({ startsBy }) => startsBy < end);
  const detail = first && `${first.shortId} is to start by ${new Date(first.startsBy).toISOString()}`;
  const minutes = Math.floor(longestStay(pass, standing) / 60_000);
  return reason("RESERVED", detail, minutes > 0 ? `ask for a walltime of at most ${minutes} min` : undefined);
}

/** Returns how long work of this demand may run that starts now and delays nothing. */
function longestStay({ availability, now }: Pass, { demand }: Standing): number {
  if (!availability) return Number.POSITIVE_INFINITY;
  const times = demand.offers.flatMap(({ of }) => availability.profiles.get(of)?.times ?? []);
  const ends = [...new Set<number>(times)].sort((a, b) => b - a);
  const end = ends.find(
    (time): time is Millis => time > now && selectNodes(demand, { availability, end: time }) !== undefined,
  );
  return (end ?? now) - now;
}
