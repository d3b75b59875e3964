/** What operations take and give back, beside the domain's own records. */
import type { AllocationDetail } from "../../../core/domain/detail.ts";
import type { AllocationState } from "../../../core/domain/lifecycle.ts";

export type {
  AllocationDetail,
  AllocationEvent,
  DagDetail,
  Explanation,
  LogLine,
  NodeDetail,
  Page,
  RaftStatus,
  Submitted,
} from "../../../core/domain/detail.ts";

/** Which page of a listing. */
export interface PageRequest {
  /** 0 takes the default. */
  readonly limit: number;
  /** Empty for the first page. */
  readonly cursor: string;
}

/** Which allocations to list; absent fields match all. */
export interface AllocationFilter {
  readonly tenant?: string;
  readonly user?: string;
  readonly vcluster?: string;
  readonly name?: string;
  /** Empty matches all. */
  readonly states?: readonly AllocationState[];
  readonly dag?: string;
  /** Id of a task group: lists its tasks. */
  readonly group?: string;
}

/** Which output to read. */
export interface LogQuery {
  readonly ref: string;
  readonly streams: readonly ("stdout" | "stderr")[];
  /** Empty for every node. */
  readonly node: string;
  /** 0 is the latest. */
  readonly attempt: number;
  readonly offset: number;
  /** 0 is to the end. */
  readonly length: number;
  readonly isFollowing: boolean;
  /** 0 is all. */
  readonly tailLines: number;
}

/** What waits and runs in a vCluster. */
export interface QueueDetail {
  readonly vcluster: string;
  readonly pending: number;
  readonly running: number;
  readonly allocations: readonly AllocationDetail[];
}

/** Whether a server can serve, and why not. */
export interface Readiness {
  readonly isReady: boolean;
  readonly detail: string;
}
