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

/** What an agent says after its first words. */
export type AgentMessage =
  | {
      readonly kind: "heartbeat";
      readonly sequence: number;
      readonly clock: Millis;
      readonly issues: readonly string[];
    }
  | { readonly kind: "reports"; readonly sequence: number; readonly workloads: readonly WorkloadReport[] }
  /** How a wipe went; said again until the desired set no longer names it. */
  | { readonly kind: "wiped"; readonly wipe: number; readonly isDone: boolean; readonly detail: string };

/** Which of a workload's outputs. */
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
  /** HOST:PORT of the server that waits for the output; absent: the one that asks. */
  readonly uploadTo?: string;
}

/** A piece of output. */
export interface LogPiece {
  readonly stream: LogStreamName;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly at: Millis;
}

/** What the server says to an agent. */
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

/** What the agent's end of the stream tells its loop. */
export interface AgentLinkListener {
  /** Asked for each time a stream opens. */
  hello(): AgentHello;
  onMessage(message: ServerMessage): void;
  /** The stream is gone; the link dials again by itself. */
  onLost(reason: string): void;
}

/** The agent's end: dials the servers until it is closed. */
export interface AgentLink {
  start(listener: AgentLinkListener): void;
  /** Sends to the server of the moment; without one the message is dropped, for whoever says what is true says it again. */
  send(message: AgentMessage): void;
  /** Answers a request for output; resolves when all is sent or the server has gone. */
  sendLogs(request: LogRequest, pieces: AsyncIterable<LogPiece>, signal: AbortSignal): Promise<void>;
  close(): void;
}
