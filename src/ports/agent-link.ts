/**
 * The server's end of the agents' streams, and the agent's end of its stream. The wire is
 * in api/ and io/; the loops see data.
 */

import type { Millis } from "../base/brand.ts";
import type { DesiredSet, Fence, Registration, WorkloadReport } from "../core/domain/assignment.ts";
import type { AllocationId } from "../core/domain/ids.ts";

/** First words of an agent. */
export interface AgentHello {
  readonly registration: Registration;
  readonly fence: Fence;
  readonly workloads: readonly WorkloadReport[];
  readonly clock: Millis;
}

export type AgentMessage =
  | {
      readonly kind: "heartbeat";
      readonly sequence: number;
      readonly clock: Millis;
      readonly issues: readonly string[];
    }
  | { readonly kind: "reports"; readonly sequence: number; readonly workloads: readonly WorkloadReport[] };

export type LogStreamName = "stdout" | "stderr";

/** Asks an agent for output. */
export interface LogRequest {
  readonly requestId: string;
  readonly allocation: AllocationId;
  readonly attempt: number;
  readonly streams: readonly LogStreamName[];
  readonly offset: number;
  /** 0 is to the end. */
  readonly length: number;
  readonly isFollowing: boolean;
  /** 0 is from the offset. */
  readonly tailLines: number;
}

/** A piece of output. */
export interface LogPiece {
  readonly stream: LogStreamName;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly at: Millis;
}

export type ServerMessage =
  | {
      readonly kind: "welcome";
      readonly serverVersion: string;
      readonly heartbeatIntervalMs: number;
      readonly isolationGraceMs: number;
    }
  | { readonly kind: "heartbeat-reply"; readonly sequence: number }
  | { readonly kind: "desired"; readonly desired: DesiredSet }
  | { readonly kind: "reports-committed"; readonly sequence: number }
  | { readonly kind: "log-request"; readonly request: LogRequest }
  | { readonly kind: "log-cancel"; readonly requestId: string };

/** One agent's stream, as the server's hub holds it. */
export interface AgentSession {
  send(message: ServerMessage): void;
  /** Ends the stream, telling the agent why. */
  close(reason: string): void;
}
