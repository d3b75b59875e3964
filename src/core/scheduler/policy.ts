/** The settings that `plan` obeys, from the configuration. */

export interface Policy {
  /** Pending allocations looked at in one pass at most. */
  readonly depth: number;
}

/** What holds where the configuration says nothing. */
export const DEFAULT_POLICY: Policy = { depth: 1_000 };
