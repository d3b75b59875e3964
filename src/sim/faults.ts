/**
 * Everything that the fake world may do to a cluster, as one record. A seed draws which
 * kinds of fault its run has and how often: a run with everything at once would hide what
 * only shows when the rest works.
 */
import type { Prng } from "../base/prng.ts";
import type { Span } from "./world/chance.ts";
import { happens, within } from "./world/chance.ts";

/** What links do to each frame, and what happens to links now and then. Times in milliseconds; 0 is never. */
export interface NetworkFaults {
  readonly delayMs: Span;
  /** Frames that vanish though the link stays. */
  readonly lossRate: number;
  readonly repeatRate: number;
  /** Frames that come much later than others, overtaken by them. */
  readonly lateRate: number;
  readonly lateMs: Span;
  /** Links that break. */
  readonly cutEveryMs: number;
  /** Groups that do not hear each other. */
  readonly partitionEveryMs: number;
  readonly partitionMs: Span;
  /** Of the partitions, those where one direction still works. */
  readonly oneWayRate: number;
  /** Directions that hold everything back and then deliver at once. */
  readonly clogEveryMs: number;
  readonly clogMs: Span;
}

/** What disks do. */
export interface DiskFaults {
  readonly writeMs: Span;
  /** A disk is slow for a while. */
  readonly slowEveryMs: number;
  readonly slowMs: Span;
  readonly slowWriteMs: Span;
  /** Writes that fail: the store takes no more. */
  readonly failRate: number;
  /** A disk is full for a while. */
  readonly fullEveryMs: number;
  readonly fullMs: Span;
  /** Of the crashes, those in which power is lost and with it what was not synced. */
  readonly powerLossRate: number;
  /** Of the crashes, those that leave a record of the log flipped, cut short or in the wrong place. */
  readonly damageRate: number;
  /** Of the crashes, those after which the data directory is empty. */
  readonly wipeRate: number;
}

/** What happens to processes. */
export interface ProcessFaults {
  readonly crashEveryMs: number;
  readonly downMs: Span;
  readonly pauseEveryMs: number;
  readonly pauseMs: Span;
  /** Wall clocks that are set. */
  readonly jumpEveryMs: number;
  readonly jumpMs: Span;
  /** How far the rates of clocks are apart, at most. */
  readonly driftMax: number;
}

/** What operators do meanwhile. */
export interface OperatorActs {
  readonly transferEveryMs: number;
  /** A server is removed and another takes its place. */
  readonly replaceEveryMs: number;
  /** Servers are stopped in order and started again. */
  readonly restartEveryMs: number;
}

/** All of it. */
export interface Faults {
  readonly network: NetworkFaults;
  readonly disk: DiskFaults;
  readonly process: ProcessFaults;
  readonly operator: OperatorActs;
}

const QUICK_DELAY: Span = [0.2, 2];

/** A world in which nothing goes wrong. */
export const NO_FAULTS: Faults = {
  network: {
    delayMs: QUICK_DELAY,
    lossRate: 0,
    repeatRate: 0,
    lateRate: 0,
    lateMs: [0, 0],
    cutEveryMs: 0,
    partitionEveryMs: 0,
    partitionMs: [0, 0],
    oneWayRate: 0,
    clogEveryMs: 0,
    clogMs: [0, 0],
  },
  disk: {
    writeMs: [0.1, 0.5],
    slowEveryMs: 0,
    slowMs: [0, 0],
    slowWriteMs: [0, 0],
    failRate: 0,
    fullEveryMs: 0,
    fullMs: [0, 0],
    powerLossRate: 0,
    damageRate: 0,
    wipeRate: 0,
  },
  process: {
    crashEveryMs: 0,
    downMs: [0, 0],
    pauseEveryMs: 0,
    pauseMs: [0, 0],
    jumpEveryMs: 0,
    jumpMs: [0, 0],
    driftMax: 0,
  },
  operator: { transferEveryMs: 0, replaceEveryMs: 0, restartEveryMs: 0 },
};

/** Draws the faults of one run. */
export function drawFaults(random: Prng): Faults {
  const often = (everyMs: Span, share = 0.5): number => (happens(random, share) ? within(random, everyMs) : 0);
  const rate = (max: number, share = 0.5): number => (happens(random, share) ? random() * max : 0);
  const network: NetworkFaults = {
    delayMs: happens(random, 0.3) ? [1, within(random, [5, 60])] : QUICK_DELAY,
    lossRate: rate(0.1),
    repeatRate: rate(0.1),
    lateRate: rate(0.05),
    lateMs: [20, within(random, [100, 3_000])],
    cutEveryMs: often([1_000, 10_000]),
    partitionEveryMs: often([1_500, 8_000], 0.6),
    partitionMs: [200, within(random, [1_000, 6_000])],
    oneWayRate: random() * 0.6,
    clogEveryMs: often([3_000, 12_000], 0.3),
    clogMs: [100, within(random, [500, 4_000])],
  };
  const disk: DiskFaults = {
    writeMs: happens(random, 0.2) ? [1, 10] : [0.1, 0.8],
    slowEveryMs: often([3_000, 12_000], 0.3),
    slowMs: [500, 3_000],
    slowWriteMs: [10, within(random, [50, 700])],
    failRate: rate(0.002, 0.3),
    fullEveryMs: often([8_000, 20_000], 0.2),
    fullMs: [200, 2_000],
    powerLossRate: random(),
    damageRate: rate(0.6, 0.4),
    wipeRate: rate(0.5, 0.2),
  };
  const process: ProcessFaults = {
    crashEveryMs: often([2_000, 10_000], 0.7),
    downMs: [20, happens(random, 0.3) ? 100 : within(random, [300, 5_000])],
    pauseEveryMs: often([2_000, 10_000], 0.4),
    pauseMs: [50, within(random, [300, 4_000])],
    jumpEveryMs: often([4_000, 15_000], 0.3),
    jumpMs: [-5_000, within(random, [5_000, 30_000])],
    driftMax: rate(0.05),
  };
  const operator: OperatorActs = {
    transferEveryMs: often([4_000, 12_000], 0.3),
    replaceEveryMs: often([8_000, 15_000], 0.25),
    restartEveryMs: often([4_000, 12_000], 0.3),
  };
  return { network, disk, process, operator };
}
