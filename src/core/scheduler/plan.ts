/**
 * The scheduler: a pure function from what is to what should be placed, and why the rest
 * waits. Runs on every server, in the simulator and in rm-replay; there is no other one.
 * It never writes: its decisions are proposed, and `core/state` checks them again.
 */
import type { Millis } from "../../base/brand.ts";
import type { AllocationId } from "../domain/ids.ts";
import type { Reason } from "../domain/reason.ts";
import type { ClusterView, Decision } from "../domain/view.ts";
import type { Policy } from "./policy.ts";

export interface Plan {
  readonly decisions: readonly Decision[];
  /** Why each allocation that was looked at and not placed waits. */
  readonly reasons: ReadonlyMap<AllocationId, readonly Reason[]>;
}

/** Returns the placements to make at `now`. Equal arguments give equal plans, to the byte. */
export declare function plan(view: ClusterView, policy: Policy, now: Millis): Plan;
