/** The policies that a replay knows by name. Each is data for the production scheduler; none has code of its own. */
import type { Policy } from "../core/scheduler/policy.ts";
import { DEFAULT_POLICY, EASY_POLICY } from "../core/scheduler/policy.ts";

/** The names, in the order in which they are shown. */
export const POLICY_NAMES = ["fcfs", "easy", "conservative", "lattice"] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/** What each name stands for. `lattice` is what a server does by default. */
export const POLICIES: Readonly<Record<PolicyName, Policy>> = {
  fcfs: { ...EASY_POLICY, backfill: "none" },
  easy: EASY_POLICY,
  conservative: { ...EASY_POLICY, backfill: "conservative" },
  lattice: DEFAULT_POLICY,
};

/** Returns whether `text` names a policy. */
export const isPolicyName = (text: string): text is PolicyName => POLICY_NAMES.some((name) => name === text);
