/** What the servers tell each other of the agents whose streams they hold. */
import type { Millis } from "../../../base/brand.ts";
import type { NodeId } from "../../../core/domain/ids.ts";
import type { LogRequest } from "../../../ports/agent-link.ts";
import { flag, list, maybe, number, oneOf, record, text } from "../peers/json-shape.ts";
import type { Question } from "../peers/peer-bus.ts";

/** How an agent is, by the server that holds its stream. */
export interface NodeSigns {
  readonly node: NodeId;
  readonly instanceId: string;
  /** Since the last word of the agent. */
  readonly silenceMs: number;
  /** Agent's clock less the server's. */
  readonly clockSkewMs: number;
  readonly issues: readonly string[];
  /** Runs that should not be on the node and are not yet over. */
  readonly staleCount: number;
}

/** All agents whose streams end at one server. */
export interface AgentRoll {
  /** What time it is there. */
  readonly clock: Millis;
  readonly signs: readonly NodeSigns[];
}

/** An agent that wants to speak for a node. */
export interface ArrivingAgent {
  readonly node: NodeId;
  readonly instanceId: string;
}

/** Output wanted from an agent whose stream another server may hold. */
export interface RelayedLogRequest {
  readonly node: NodeId;
  readonly request: LogRequest;
}

/** Output that nobody reads any more. */
export interface RelayedLogCancel {
  readonly node: NodeId;
  readonly requestId: string;
}

const yes = record<{ readonly ok: boolean }>({ ok: flag });

/** Tells the leader all agents that a server holds; the answer means that the leader counts them as alive. */
export const TELL_SIGNS: Question<AgentRoll, { readonly ok: boolean }> = {
  kind: "agent-signs",
  ask: record<AgentRoll>({
    clock: number,
    signs: list(
      record<NodeSigns>({
        node: text,
        instanceId: text,
        silenceMs: number,
        clockSkewMs: number,
        issues: list(text),
        staleCount: number,
      }),
    ),
  }),
  answer: yes,
};

/** Asks the leader whether an agent may speak for a node; refused while another living one does. */
export const ADMIT_AGENT: Question<ArrivingAgent, { readonly ok: boolean }> = {
  kind: "admit-agent",
  ask: record<ArrivingAgent>({ node: text, instanceId: text }),
  answer: yes,
};

/** Asks the leader how long ago nodes were last heard; in the order asked, null for never. */
export const LAST_SEEN: Question<readonly NodeId[], readonly (number | null)[]> = {
  kind: "last-seen",
  ask: list<NodeId>(text),
  answer: list((value): value is number | null => value === null || number(value)),
};

/** Asks a server to pass a request on to an agent; `ok` says whether it holds the agent's stream. */
export const RELAY_LOG_REQUEST: Question<RelayedLogRequest, { readonly ok: boolean }> = {
  kind: "log-request",
  ask: record<RelayedLogRequest>({
    node: text,
    request: record<LogRequest>({
      requestId: text,
      allocation: text,
      attempt: number,
      streams: list(oneOf("stdout", "stderr")),
      offset: number,
      length: number,
      isFollowing: flag,
      tailLines: number,
      uploadTo: maybe(text),
    }),
  }),
  answer: yes,
};

/** Tells a server that took a request on that its answer is not wanted any more. */
export const RELAY_LOG_CANCEL: Question<RelayedLogCancel, { readonly ok: boolean }> = {
  kind: "log-cancel",
  ask: record<RelayedLogCancel>({ node: text, requestId: text }),
  answer: yes,
};
