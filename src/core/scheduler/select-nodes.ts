/**
 * Chooses the nodes for one demand. First fit: nodes dedicated to the vCluster before the
 * others; whole nodes in the order of their ids; shares on the fullest node that has room,
 * so that empty nodes stay empty, or where nodes have GPUs as `gpu-packing.ts` has it. Where starts are promised, only nodes that they can do
 * without are offered. Chooses only; `takeNode` takes.
 */
import { assert } from "../../base/assert.ts";
import { compareNumber } from "../../base/compare.ts";
import type { Availability } from "./availability.ts";
import { leastIdle } from "./availability.ts";
import { coverFeatures } from "./cover-features.ts";
import type { Demand, Offer } from "./demand.ts";
import { freeCount, ownerRank } from "./demand.ts";
import { inOrderOfWaste, isPacked } from "./gpu-packing.ts";
import { isGrouped, pickByGroup } from "./group-choice.ts";
import type { OpenNode } from "./node-index.ts";
import { hasRoom, idleCount, placeOfCpus } from "./node-index.ts";

/** A node chosen, with the offer it comes from. */
export interface Pick {
  readonly offer: Offer;
  readonly node: OpenNode;
  /** Whether it had no claim. */
  readonly wasIdle: boolean;
}

/** The nodes for one demand. */
export interface Selection {
  /** As many as are free, at most what is asked for at most. */
  readonly picks: readonly Pick[];
  /** How many of them, from the first, cannot be done without. */
  readonly needed: number;
}

/** The stay of work that starts now, among starts that are promised to others. */
export interface Stay {
  readonly availability: Availability;
  /** When it ends at the latest. */
  readonly end: number;
}

/** Returns the nodes for `demand`, or undefined when fewer are free than it needs. Nodes of one make where that can be. */
export function selectNodes(demand: Demand, stay?: Stay): Selection | undefined {
  if (demand.byMake.length === 0) return selectAlike(demand, stay);
  for (const make of inOrderOfRoom(demand.byMake)) {
    const selection = selectAlike(make, stay);
    if (selection) return selection;
  }
  return demand.needsConformance ? undefined : selectAlike(demand, stay);
}

/** The make with most nodes free comes first. */
function inOrderOfRoom(makes: readonly Demand[]): readonly Demand[] {
  const room = makes.map((make) => make.offers.reduce((sum, offer) => sum + freeCount(offer, make.isWhole), 0));
  const order = makes
    .map((_, at) => at)
    .sort((a, b) => compareNumber(room[b] ?? 0, room[a] ?? 0) || compareNumber(a, b));
  return order.flatMap((at) => makes[at] ?? []);
}

function selectAlike(demand: Demand, stay: Stay | undefined): Selection | undefined {
  const { nodesMin, nodesMax, featureCounts } = demand.request;
  if (!mayHaveEnough(demand)) return undefined;
  if (isPacked(demand)) return packNodes(demand, stay);
  if (isGrouped(demand)) return groupNodes(demand, stay);
  const cursors = demand.offers.map((offer) => startCursor(offer, demand.isWhole, stay));
  const picks: Pick[] = [];
  if (Object.keys(featureCounts).length > 0) {
    const free = demand.offers.map((offer) => countFrom(startCursor(offer, demand.isWhole, stay)));
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

/** Walks the nodes of a packed demand in the order of waste. */
function packNodes(demand: Demand, stay: Stay | undefined): Selection | undefined {
  const { nodesMin, nodesMax } = demand.request;
  const cursors = demand.offers.map((offer) => startCursor(offer, true, stay));
  const picks: Pick[] = [];
  for (const { at, node, wasIdle } of inOrderOfWaste(demand)) {
    const cursor = cursors[at];
    if (picks.length === nodesMax || !cursor) break;
    if (wasIdle ? cursor.counted >= cursor.idleLeft : !mayPick(cursor, node)) continue;
    if (wasIdle) cursor.counted++;
    picks.push({ offer: cursor.offer, node, wasIdle });
  }
  return picks.length < nodesMin ? undefined : { picks, needed: nodesMin };
}

/** Takes idle nodes by their dragonfly groups. */
function groupNodes(demand: Demand, stay: Stay | undefined): Selection | undefined {
  const room = demand.offers.map(({ of }) =>
    stay ? leastIdle(stay.availability, of, [stay.availability.now, stay.end]) : idleCount(of),
  );
  const picks = pickByGroup(demand, room).map(({ offer, node }): Pick => ({ offer, node, wasIdle: true }));
  const { nodesMin } = demand.request;
  return picks.length < nodesMin ? undefined : { picks, needed: nodesMin };
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
  readonly stay: Stay | undefined;
  /** Next place among the shared nodes; at their end the idle ones follow. */
  sharedAt: number;
  idleAt: number;
  /** Of the idle ones, how many the promises can do without. */
  idleLeft: number;
  /** Nodes picked that the promises counted as idle at some time of the stay. */
  counted: number;
  node: OpenNode | undefined;
  isIdle: boolean;
}

function startCursor(offer: Offer, isWhole: boolean, stay: Stay | undefined): Cursor {
  const { of } = offer;
  const cursor: Cursor = {
    offer,
    stay,
    sharedAt: isWhole || offer.lender !== undefined ? of.shared.length : placeOfCpus(of, offer.need.cpus),
    idleAt: of.idleHead,
    idleLeft: stay ? leastIdle(stay.availability, of, [stay.availability.now, stay.end]) : idleCount(of),
    counted: 0,
    node: undefined,
    isIdle: false,
  };
  advance(cursor);
  return cursor;
}

function advance(cursor: Cursor): void {
  const { idle, shared } = cursor.offer.of;
  while (cursor.sharedAt < shared.length) {
    const node = shared[cursor.sharedAt++];
    if (!node || !hasRoom(node, cursor.offer.need)) continue;
    if (!mayPick(cursor, node)) continue;
    cursor.node = node;
    return;
  }
  cursor.isIdle = true;
  cursor.node = cursor.counted < cursor.idleLeft ? idle[cursor.idleAt++] : undefined;
}

/** A shared node that the work outlasts becomes idle later than the promises count on. */
function mayPick(cursor: Cursor, { members, idleFrom }: OpenNode): boolean {
  const { stay } = cursor;
  if (!stay || stay.end <= idleFrom) return true;
  if (leastIdle(stay.availability, members, [idleFrom, stay.end]) <= cursor.counted) return false;
  cursor.counted++;
  return true;
}

function countFrom(cursor: Cursor): number {
  let count = 0;
  for (; cursor.node; advance(cursor)) {
    if (cursor.isIdle) cursor.counted++;
    count++;
  }
  return count;
}

function pickFrom(cursor: Cursor | undefined, count: number, picks: Pick[]): void {
  for (let i = 0; i < count; i++) {
    assert(cursor?.node, "an offer has fewer nodes than were counted");
    picks.push({ offer: cursor.offer, node: cursor.node, wasIdle: cursor.isIdle });
    if (cursor.isIdle) cursor.counted++;
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
  const byOwner = ownerRank(a.offer) - ownerRank(b.offer);
  if (byOwner !== 0) return byOwner;
  if (a.isIdle !== b.isIdle) return a.isIdle ? 1 : -1;
  const byFullness = a.isIdle ? 0 : compareNumber(a.node.free.cpus, b.node.free.cpus);
  return byFullness || compareNumber(a.node.order, b.node.order);
}
