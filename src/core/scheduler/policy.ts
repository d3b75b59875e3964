/** The settings that `plan` obeys, from the configuration. */

export interface Policy {
  /** Pending allocations looked at in one pass at most. */
  readonly depth: number;
}

export const DEFAULT_POLICY: Policy = { depth: 1_000 };
