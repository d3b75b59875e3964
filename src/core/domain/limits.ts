/** The bounds that the servers enforce. Each is an invariant of the state, so changing one needs care. */
export const LIMITS = {
  dagAllocationsMax: 1_000,
  arrayTasksMax: 1_000_000,
  /** Bytes of one script. */
  scriptBytesMax: 4 * 1024 * 1024,
  /** Bytes of one request body. */
  requestBytesMax: 8 * 1024 * 1024,
  pageSizeDefault: 100,
  pageSizeMax: 1_000,
  nodesPerAllocationMax: 100_000,
  preemptionClassMax: 10,
  requeueMax: 100,
  requeueDefault: 3,
  textMax: 1_024,
  argumentsMax: 4_096,
  dependenciesMax: 1_000,
  environmentVariablesMax: 4_096,
  /** Tasks of one array that exist as pending allocations at a time: the array itself stays one entry. */
  arrayPendingWindow: 256,
  idempotencyKeyLengthMax: 256,
  idempotencyKeepMs: 24 * 3_600_000,
} as const;
