/**
 * Chooses the nodes for one demand. First fit: nodes dedicated to the vCluster before the
 * others; whole nodes in the order of their ids; shares on the fullest node that has room,
 * so that empty nodes stay empty. Chooses only; `takeNode` takes.
 */
import { assert } from "../../base/assert.ts";
import { compareNumber } from "../../base/compare.ts";
import { fits } from "../domain/resources.ts";
import type { Demand, Offer } from "./demand.ts";
import { freeCount } from "./demand.ts";
import type { OpenNode } from "./node-index.ts";
import { idleCount, placeOfCpus } from "./node-index.ts";

/** A node chosen, with the offer it comes from. */
export interface Pick {
  readonly offer: Offer;
  readonly node: OpenNode;
}

/** The nodes for one demand. */
export interface Selection {
  /** As many as are free, at most what is asked for at most. */
  readonly picks: readonly Pick[];
  /** How many of them, from the first, cannot be done without. */
  readonly needed: number;
}

/** Returns the nodes for `demand`, or undefined when fewer are free than it needs. */
export function selectNodes(demand: Demand): Selection | undefined {
  const { nodesMin, nodesMax, featureCounts } = demand.request;
  if (!mayHaveEnough(demand)) return undefined;
  const cursors = demand.offers.map((offer) => startCursor(offer, demand.isWhole));
  const picks: Pick[] = [];
  if (Object.keys(featureCounts).length > 0) {
    const free = demand.offers.map((offer) => freeCount(offer, demand.isWhole));
    const cover = coverFeatures(demand, free);
    if (!cover) return undefined;
    for (const [i, count] of cover.entries()) pickFrom(cursors[i], count, picks);
    if (picks.length > nodesMax) return undefined;
  }
  const needed = Math.max(nodesMin, picks.length);
  while (picks.length < nodesMax) {
    const best = firstCursor(cursors);
    if (!best) break;
    pickFrom(best, 1, picks);
  }
  return picks.length < nodesMin ? undefined : { picks, needed };
}

/**
 * Returns how many nodes to take of each offer so that every feature count is met, or
 * undefined when `available` (by offer) does not allow it. Takes the node with most of the
 * features still missing, so it may take more nodes than the least possible.
 */
export function coverFeatures(demand: Demand, available: readonly number[]): readonly number[] | undefined {
  const missing = new Map(Object.entries(demand.request.featureCounts).filter(([, count]) => count > 0));
  const taken = demand.offers.map(() => 0);
  while (missing.size > 0) {
    const at = mostMissing(demand.offers, missing, (i) => (available[i] ?? 0) - (taken[i] ?? 0));
    const offer = demand.offers[at];
    if (!offer) return undefined;
    taken[at] = (taken[at] ?? 0) + 1;
    for (const [feature, count] of missing) {
      if (!offer.of.features.has(feature)) continue;
      if (count === 1) missing.delete(feature);
      else missing.set(feature, count - 1);
    }
  }
  return taken;
}

function mostMissing(
  offers: readonly Offer[],
  missing: ReadonlyMap<string, number>,
  left: (offer: number) => number,
): number {
  let best = -1;
  let bestCount = 0;
  for (const [i, offer] of offers.entries()) {
    if (left(i) <= 0) continue;
    let count = 0;
    for (const feature of missing.keys()) if (offer.of.features.has(feature)) count++;
    if (count > bestCount) {
      best = i;
      bestCount = count;
    }
  }
  return best;
}

/** An upper bound that is cheap to compute: most demands that do not fit end here. */
function mayHaveEnough(demand: Demand): boolean {
  let open = 0;
  for (const { of } of demand.offers) open += idleCount(of) + (demand.isWhole ? 0 : of.shared.length);
  return open >= demand.request.nodesMin;
}

/** Walks the nodes of one offer on which the demand fits, in the order in which they are taken. */
interface Cursor {
  readonly offer: Offer;
  /** Next place among the shared nodes; at their end the idle ones follow. */
  sharedAt: number;
  idleAt: number;
  node: OpenNode | undefined;
  isIdle: boolean;
}

function startCursor(offer: Offer, isWhole: boolean): Cursor {
  const sharedAt = isWhole ? offer.of.shared.length : placeOfCpus(offer.of, offer.need.cpus);
  const cursor: Cursor = { offer, sharedAt, idleAt: offer.of.idleHead, node: undefined, isIdle: false };
  advance(cursor);
  return cursor;
}

function advance(cursor: Cursor): void {
  const { idle, shared } = cursor.offer.of;
  while (cursor.sharedAt < shared.length) {
    const node = shared[cursor.sharedAt++];
    if (node && fits(cursor.offer.need, node.free)) {
      cursor.node = node;
      return;
    }
  }
  cursor.node = idle[cursor.idleAt++];
  cursor.isIdle = true;
}

function pickFrom(cursor: Cursor | undefined, count: number, picks: Pick[]): void {
  for (let i = 0; i < count; i++) {
    assert(cursor?.node, "an offer has fewer nodes than were counted");
    picks.push({ offer: cursor.offer, node: cursor.node });
    advance(cursor);
  }
}

function firstCursor(cursors: readonly Cursor[]): Cursor | undefined {
  let best: Cursor | undefined;
  for (const cursor of cursors) {
    if (cursor.node && (!best || compareCursors(cursor, best) < 0)) best = cursor;
  }
  return best;
}

function compareCursors(a: Cursor, b: Cursor): number {
  if (!a.node || !b.node) return 0;
  if (a.offer.isOwn !== b.offer.isOwn) return a.offer.isOwn ? -1 : 1;
  if (a.isIdle !== b.isIdle) return a.isIdle ? 1 : -1;
  const byFullness = a.isIdle ? 0 : compareNumber(a.node.free.cpus, b.node.free.cpus);
  return byFullness || compareNumber(a.node.order, b.node.order);
}
