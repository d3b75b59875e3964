/**
 * The order of the queue as of a moment, kept for the events that follow it: to rank a
 * long queue takes longer than all else in a pass, and what an event changes of the order
 * is who has come and who has gone. Made in steps, so that the caller may do other things
 * in between; what comes or goes meanwhile is found when the ranking is used.
 */
import type { Millis } from "../../../base/brand.ts";
import { millis } from "../../../base/brand.ts";
import type { AllocationId, VClusterId } from "../../domain/ids.ts";
import type { ClusterView, PendingView, QueueView } from "../../domain/view.ts";
import type { Policy } from "../policy.ts";
import type { Ranked } from "../queue.ts";
import { compareRanked, headByTotal, headOfQueue, rankedBy } from "../queue.ts";
import { Scorer } from "./score.ts";
import { compareSubmission, isInSubmissionOrder, keepOrder } from "./submission-order.ts";

/** What a ranking is made from. */
export interface RankingSources {
  readonly view: ClusterView;
  readonly queue: QueueView;
}

/** The order of the queue as of a moment. */
export interface Ranking {
  /** How many had come to the queue: who came later is not in it. */
  readonly arrivals: number;
  /** The highest ranks, as many as a pass looks at; the highest first. */
  readonly head: readonly Ranked[];
  /** The queue is kept in this order, so its own walk says everybody's place. */
  readonly isQueueOrder: boolean;
  /** Whether nothing waited beyond the head. */
  readonly isWhole: boolean;
  /** Returns the rank of an allocation among these. */
  rank(pending: PendingView): Ranked;
  /** Returns how many beyond the head stand before this rank. */
  countBeyond(ranked: Ranked): number;
}

/** Makes a ranking. With the order `fcfs` there is nothing to do: the queue is kept in it. */
export class RankingWork {
  readonly #policy: Policy;
  readonly #now: Millis;
  readonly #view: ClusterView;
  readonly #queue: QueueView;
  readonly #arrivals: number;
  readonly #ids: readonly AllocationId[];
  readonly #pending: PendingView[] = [];
  readonly #totals: number[] = [];
  #looked = 0;
  #scorer: Scorer | undefined;

  constructor({ view, queue }: RankingSources, policy: Policy, now: Millis) {
    this.#policy = policy;
    this.#now = now;
    this.#view = view;
    this.#queue = queue;
    this.#arrivals = queue.arrivals;
    this.#ids = policy.order === "fcfs" ? [] : queue.ids();
  }

  /** Goes on by `count` allocations; returns the ranking once it is made. */
  step(count: number): Ranking | undefined {
    if (this.#policy.order === "fcfs") return fcfsRanking(this.#arrivals);
    if (this.#looked < this.#ids.length) {
      this.#look(count);
      return undefined;
    }
    const { energyPrice, weights } = this.#policy;
    this.#scorer ??= new Scorer(this.#view, { now: this.#now, energyPrice, weights, queue: this.#pending });
    const until = Math.min(this.#pending.length, this.#totals.length + count);
    for (const pending of this.#pending.slice(this.#totals.length, until)) {
      this.#totals.push(this.#scorer.total(pending));
    }
    return until < this.#pending.length ? undefined : this.#finish(this.#scorer);
  }

  #look(count: number): void {
    const from = this.#looked;
    this.#looked = Math.min(this.#ids.length, from + count);
    for (const id of this.#ids.slice(from, this.#looked)) {
      const pending = this.#queue.get(id);
      if (pending) this.#pending.push(pending);
    }
  }

  #finish(scorer: Scorer): Ranking {
    const all = this.#pending;
    const totals = Float64Array.from(this.#totals);
    const inOrder = keepOrder(this.#view, all, totals);
    const head = headByTotal(all, totals, this.#policy.depth);
    const last = head.at(-1);
    return {
      arrivals: this.#arrivals,
      head,
      isQueueOrder: false,
      isWhole: head.length === all.length,
      rank(pending) {
        const kept = inOrder.get(pending.vcluster);
        if (!kept) return rankedBy(pending, scorer.total(pending));
        return rankedBy(pending, kept.totals.get(pending.id) ?? Math.min(scorer.total(pending), kept.lowest));
      },
      countBeyond(ranked) {
        if (!last || compareRanked(ranked, last) <= 0) return 0;
        let count = 0;
        for (const [i, pending] of all.entries()) {
          if (compareRanked(rankedBy(pending, totals[i] ?? 0), ranked) < 0) count++;
        }
        return count - head.length;
      },
    };
  }
}

/** Returns the ranking of the queue as it stands. */
export function rankQueue(sources: RankingSources, policy: Policy, now: Millis): Ranking {
  const work = new RankingWork(sources, policy, now);
  for (;;) {
    const ranking = work.step(Number.POSITIVE_INFINITY);
    if (ranking) return ranking;
  }
}

const fcfsRanking = (arrivals: number): Ranking => ({
  arrivals,
  head: [],
  isQueueOrder: true,
  isWhole: true,
  rank: (pending) => rankedBy(pending, pending.preemptionClass),
  countBeyond: () => 0,
});

/**
 * Returns those that a pass looks at now, in the order of the ranking: who has gone is left
 * out, who has come stands where its rank puts it. Undefined where it is forgotten who came.
 */
export function headNow(
  { view, queue }: RankingSources,
  policy: Policy,
  ranking: Ranking,
): readonly PendingView[] | undefined {
  if (policy.order === "fcfs") return [...headOfQueue(view, policy, NEVER)];
  const arrived = arrivedSince({ view, queue }, ranking);
  if (!arrived) return undefined;
  const last = ranking.head.at(-1);
  const mayJoin = (one: Ranked): boolean => ranking.isWhole || (last !== undefined && compareRanked(one, last) < 0);
  const newcomers = arrived.filter(mayJoin);
  const isNew = new Set(arrived.map(({ id }) => id));
  const merged: Ranked[] = [];
  let next = 0;
  for (const one of ranking.head) {
    if (isNew.has(one.id)) continue;
    for (; isBefore(newcomers[next], one); next++) merged.push(...newcomers.slice(next, next + 1));
    merged.push(one);
  }
  merged.push(...newcomers.slice(next));
  const waiting = merged.flatMap(({ id }) => queue.get(id) ?? []);
  return waiting.length > policy.depth ? waiting.slice(0, policy.depth) : waiting;
}

/** The order of submission does not depend on the time. */
const NEVER = millis(0);

const isBefore = (one: Ranked | undefined, other: Ranked): boolean =>
  one !== undefined && compareRanked(one, other) < 0;

/** In a vCluster in order, none that came stands before one that came earlier. */
function arrivedSince({ view, queue }: RankingSources, ranking: Ranking): readonly Ranked[] | undefined {
  const ids = queue.arrivedAfter(ranking.arrivals);
  if (!ids) return undefined;
  const waiting = [...new Set(ids)].flatMap((id) => queue.get(id) ?? []);
  const lowest = new Map<VClusterId, number>();
  const ranked = waiting.sort(compareSubmission).map((pending): Ranked => {
    const own = ranking.rank(pending);
    const { vcluster } = pending;
    if (!isInSubmissionOrder(view, vcluster)) return own;
    const total = Math.min(own.total, lowest.get(vcluster) ?? own.total);
    lowest.set(vcluster, total);
    return rankedBy(pending, total);
  });
  return ranked.sort(compareRanked);
}

/**
 * Returns what is to be tried of a head when nothing but `arrived` has come since the last
 * pass: what that left waiting cannot start for it, and those that hold others back still do.
 */
export function amongBlockers(
  head: readonly PendingView[],
  blockers: readonly AllocationId[],
  arrived: readonly AllocationId[] | undefined,
): readonly PendingView[] {
  if (!arrived) return head;
  const tried = new Set([...blockers, ...arrived]);
  return head.filter(({ id }) => tried.has(id));
}

/** Returns the place in the queue, from 1, of an allocation that waits. */
export function positionIn({ view, queue }: RankingSources, ranking: Ranking, pending: PendingView): number {
  if (ranking.isQueueOrder) return placeOf(view.pending(), pending);
  const arrived = arrivedSince({ view, queue }, ranking) ?? [];
  const own = arrived.find(({ id }) => id === pending.id) ?? ranking.rank(pending);
  const isNew = new Set(arrived.map(({ id }) => id));
  const before = (ranked: readonly Ranked[]): number => ranked.filter((one) => compareRanked(one, own) < 0).length;
  const still = ranking.head.filter(({ id }) => !isNew.has(id) && queue.get(id) !== undefined);
  return before(still) + before(arrived) + ranking.countBeyond(own) + 1;
}

function placeOf(queue: Iterable<PendingView>, { id }: PendingView): number {
  let place = 0;
  for (const one of queue) {
    place++;
    if (one.id === id) break;
  }
  return place;
}
