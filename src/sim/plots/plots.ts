/**
 * Plots: situations that chance alone seldom brings about, each a short sequence of cuts,
 * restarts and acts of operators at the very moments that matter. A seed draws at most one
 * plot for its run, which is tried again and again; what else goes wrong meanwhile is drawn
 * as always, or nothing is, so that the plot can go through.
 */
import type { Prng } from "../../base/prng.ts";
import type { RaftDriverSettings } from "../../engine/server/raft/raft-settings.ts";
import type { ServerSettings } from "../../engine/server/settings.ts";
import type { Cluster } from "../cluster.ts";
import { happens, pick } from "../world/chance.ts";
import { lostAnswers } from "./answers.ts";
import { earlierTerm, handOn, restartWithinLease } from "./elections.ts";
import { emptiedVoter, learnerWithLeader, strangerLeads } from "./memberships.ts";
import { Stage } from "./stage.ts";

/** One plot. */
export interface Plot {
  readonly name: string;
  /** Settings without which it cannot go through. */
  readonly driver?: Partial<RaftDriverSettings>;
  readonly server?: Partial<ServerSettings>;
  /** How long frames take. */
  readonly delayMs?: readonly [number, number];
  /** Clients submit more than there is room for. */
  readonly isEager?: boolean;
  readonly run: (stage: Stage) => Promise<void>;
}

const PLOTS: readonly Plot[] = [
  { name: "an entry of an earlier term", driver: { batchMax: 1 }, run: earlierTerm },
  { name: "a restart within a lease", driver: { electionTicks: 100, heartbeatTicks: 4 }, run: restartWithinLease },
  { name: "leadership is handed on", delayMs: [2, 25], isEager: true, run: handOn },
  { name: "a learner with the leader", run: learnerWithLeader },
  { name: "an emptied voter", run: emptiedVoter },
  { name: "a stranger leads", run: strangerLeads },
  { name: "lost answers", server: { endedInMemoryMax: 1 }, run: lostAnswers },
];

/** Of the runs, those that have a plot; and of these, those in which nothing else goes wrong. */
const PLOT_RATE = 0.5;
const CALM_RATE = 0.6;

/** What a run is given, besides its faults. */
export interface DrawnPlot {
  readonly plot: Plot;
  /** Nothing else goes wrong. */
  readonly isCalm: boolean;
}

/** Draws the plot of one run, if it has any. */
export function drawPlot(random: Prng): DrawnPlot | undefined {
  if (!happens(random, PLOT_RATE)) return undefined;
  const plot = pick(random, PLOTS);
  return plot && { plot, isCalm: happens(random, CALM_RATE) };
}

/** Begins a plot, which is repeated until `end` of the returned stage. */
export function startPlot(cluster: Cluster, plot: Plot): Stage {
  const stage = new Stage(cluster);
  cluster.world.log("-", "plot", plot.name);
  void repeat(stage, plot);
  return stage;
}

async function repeat(stage: Stage, plot: Plot): Promise<void> {
  while (await stage.wait([300, 1_500])) {
    await plot.run(stage);
    stage.join();
  }
}
