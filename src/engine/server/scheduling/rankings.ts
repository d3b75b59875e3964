/**
 * The order of the queue as this server knows it: made anew from time to time, a slice at
 * a time, so that a long queue does not hold up what else the loop has to do.
 */
import type { PendingView } from "../../../core/domain/view.ts";
import type { Policy } from "../../../core/scheduler/policy.ts";
import type { Ranking, RankingSources } from "../../../core/scheduler/score/ranking.ts";
import { headNow, RankingWork } from "../../../core/scheduler/score/ranking.ts";
import type { State } from "../../../core/state/state.ts";
import { queueOf, viewOf } from "../../../core/state/view.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { Replica } from "../replica.ts";
import type { ServerSettings } from "../settings.ts";

/** Allocations between two looks at the clock. */
const STEP = 500;
/** After so long others have their turn. */
const SLICE_MS = 5;

/** What rankings are made with. */
export interface RankingParts {
  readonly replica: Pick<Replica, "state">;
  readonly clock: Clock;
  readonly settings: Pick<ServerSettings, "policy" | "cycleIntervalMs">;
}

interface Kept {
  readonly ranking: Ranking;
  readonly state: State;
  readonly policy: Policy;
  readonly madeAt: number;
}

export class Rankings {
  readonly #parts: RankingParts;
  #kept: Kept | undefined;
  #making: Promise<Ranking> | undefined;

  constructor(parts: RankingParts) {
    this.#parts = parts;
  }

  /** Returns the queue and the view of the state at hand. */
  sources(): RankingSources {
    const { state } = this.#parts.replica;
    return { view: viewOf(state), queue: queueOf(state) };
  }

  /** Returns a ranking that is at most a cycle old, or undefined. */
  recent(): Ranking | undefined {
    const { replica, clock, settings } = this.#parts;
    const kept = this.#kept;
    if (!kept || kept.state !== replica.state || kept.policy !== settings.policy) return undefined;
    return clock.monotonic() - kept.madeAt <= settings.cycleIntervalMs ? kept.ranking : undefined;
  }

  /** Returns what a pass looks at by the recent ranking, or undefined where there is none that is of use. */
  head(): readonly PendingView[] | undefined {
    const ranking = this.recent();
    const head = ranking && headNow(this.sources(), this.#parts.settings.policy, ranking);
    const isSpent = head !== undefined && ranking?.isWhole === false && head.length * 2 < ranking.head.length;
    return isSpent ? undefined : head;
  }

  /** Makes a ranking; who asks meanwhile waits for the same one. */
  renew(): Promise<Ranking> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #make(): Promise<Ranking> {
    const { replica, clock, settings } = this.#parts;
    const { state } = replica;
    const { policy } = settings;
    const madeAt = clock.monotonic();
    const work = new RankingWork(this.sources(), policy, clock.now());
    for (let begun = madeAt; ; ) {
      const ranking = work.step(STEP);
      if (ranking) {
        this.#kept = { ranking, state, policy, madeAt };
        return ranking;
      }
      if (clock.monotonic() - begun < SLICE_MS) continue;
      await new Promise<void>((resume) => clock.after(0, resume));
      begun = clock.monotonic();
    }
  }
}
