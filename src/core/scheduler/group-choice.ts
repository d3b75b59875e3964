/**
 * Which dragonfly groups the whole nodes of an allocation come from. A message inside a
 * group takes one hop less than one between groups, and the links between groups are
 * shared by all: `tight` takes the fewest groups there can be, near to each other,
 * `spread` takes as evenly from all of them as it can, `fullest` fills those up that have
 * fewest idle nodes left, so that others stay empty. A hint never makes work wait: what
 * fits no single group spans several.
 */
import { compareNumber } from "../../base/compare.ts";
import type { Demand, Offer } from "./demand.ts";
import type { OpenNode } from "./node-index.ts";

/** An idle node with the offer it comes from. */
export interface Grouped {
  readonly offer: Offer;
  readonly node: OpenNode;
}

/** The idle nodes of one group. */
interface Group {
  readonly id: number;
  /** By offer, those of it that are not taken, the last first. */
  readonly nodes: OpenNode[][];
  taken: number;
}

/** Returns whether groups decide which nodes are taken; feature counts choose by themselves. */
export const isGrouped = ({ isWhole, request, grouping }: Demand): boolean =>
  isWhole &&
  grouping !== "any" &&
  (request.nodesMax > 1 || grouping === "fullest") &&
  Object.keys(request.featureCounts).length === 0;

/**
 * Returns idle nodes for `demand`, as many as it may have at most, where `room` says how
 * many of each offer may be taken. Nodes of its own vCluster are left alone only where
 * they are too few.
 */
export function pickByGroup(demand: Demand, room: readonly number[]): readonly Grouped[] {
  const { grouping } = demand;
  const { nodesMax } = demand.request;
  const own = room.map((count, at) => (demand.offers[at]?.isOwn ? count : 0));
  const choice = new Choice(demand.offers, sum(own) >= nodesMax ? own : room);
  for (let missing = nodesMax; missing > 0; ) {
    const group = choice.next(grouping, missing);
    if (!group) break;
    missing -= choice.take(group, grouping === "spread" ? 1 : missing);
  }
  return choice.picks;
}

class Choice {
  readonly picks: Grouped[] = [];
  readonly #offers: readonly Offer[];
  readonly #left: number[];
  readonly #groups: readonly Group[];

  constructor(offers: readonly Offer[], room: readonly number[]) {
    this.#offers = offers;
    this.#left = [...room];
    this.#groups = groupsOf(offers);
  }

  /** The group to take from, or undefined when none has anything left. */
  next(grouping: Demand["grouping"], missing: number): Group | undefined {
    if (grouping === "spread") return this.#leastTaken();
    return grouping === "fullest" ? this.#fullest() : this.#tightest(missing);
  }

  /** The smallest group that holds all that is missing, or else the largest; of equal ones the nearest to those taken. */
  #tightest(missing: number): Group | undefined {
    const used = this.#groups.filter(({ taken }) => taken > 0);
    let best: { readonly group: Group; readonly count: number; readonly distance: number } | undefined;
    for (const group of this.#groups) {
      const count = this.#count(group);
      if (count === 0) continue;
      const distance = distanceTo(used, group);
      const isBetter = !best || compareTight({ count, distance }, best, missing) < 0;
      if (isBetter) best = { group, count, distance };
    }
    return best?.group;
  }

  /** The group that has given least, of equal ones the one that has most left. */
  #leastTaken(): Group | undefined {
    let best: { readonly group: Group; readonly count: number } | undefined;
    for (const group of this.#groups) {
      const count = this.#count(group);
      if (count === 0) continue;
      if (!best || (compareNumber(group.taken, best.group.taken) || compareNumber(best.count, count)) < 0) {
        best = { group, count };
      }
    }
    return best?.group;
  }

  /** The group that has least left, of equal ones the lowest. */
  #fullest(): Group | undefined {
    let best: { readonly group: Group; readonly count: number } | undefined;
    for (const group of this.#groups) {
      const count = this.#count(group);
      if (count > 0 && (!best || count < best.count)) best = { group, count };
    }
    return best?.group;
  }

  /** Takes up to so many nodes of a group; returns how many. */
  take(group: Group, count: number): number {
    let taken = 0;
    for (const [at, nodes] of group.nodes.entries()) {
      const offer = this.#offers[at];
      for (let left = this.#left[at] ?? 0; offer && left > 0 && taken < count; left--) {
        const node = nodes.pop();
        if (!node) break;
        this.picks.push({ offer, node });
        this.#left[at] = left - 1;
        taken++;
      }
    }
    group.taken += taken;
    return taken;
  }

  #count({ nodes }: Group): number {
    return sum(nodes.map((list, at) => Math.min(list.length, this.#left[at] ?? 0)));
  }
}

interface Nearness {
  readonly count: number;
  readonly distance: number;
}

/** Whoever holds all that is missing ends the search; there the nearest, then the fullest is best. */
function compareTight(a: Nearness, b: Nearness, missing: number): number {
  const [isEnough, wasEnough] = [a.count >= missing, b.count >= missing];
  if (isEnough !== wasEnough) return isEnough ? -1 : 1;
  if (isEnough) return compareNumber(a.distance, b.distance) || compareNumber(a.count, b.count);
  return compareNumber(b.count, a.count) || compareNumber(a.distance, b.distance);
}

/** Groups whose numbers follow each other are cabled next to each other. */
const distanceTo = (used: readonly Group[], { id }: Group): number =>
  used.reduce((least, group) => Math.min(least, Math.abs(group.id - id)), used.length === 0 ? 0 : Number.MAX_VALUE);

/** In ascending order. */
function groupsOf(offers: readonly Offer[]): readonly Group[] {
  const groups = new Map<number, Group>();
  for (const [at, { of }] of offers.entries()) {
    for (let i = of.idle.length - 1; i >= of.idleHead; i--) {
      const node = of.idle[i];
      if (!node) continue;
      const { group: id } = node.view.capacity;
      const group = groups.get(id) ?? { id, nodes: offers.map(() => []), taken: 0 };
      groups.set(id, group);
      group.nodes[at]?.push(node);
    }
  }
  return [...groups.values()].sort((a, b) => compareNumber(a.id, b.id));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
