/**
 * The agents' streams: tells each node what should be on it, takes in what is, and
 * proposes what heartbeats mean. Knows who is connected and when each was last heard;
 * the log only learns what follows from that.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import { PART_PHASES } from "../../core/domain/allocation.ts";
import type { Fence, WorkloadReport } from "../../core/domain/assignment.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { AllocationId, NodeId } from "../../core/domain/ids.ts";
import { holdsNodes } from "../../core/domain/lifecycle.ts";
import type { Node } from "../../core/domain/node.ts";
import { workloadName } from "../../core/domain/workload.ts";
import type { StateEvent } from "../../core/state/events.ts";
import type { AgentSigns } from "../../core/state/health.ts";
import { judgeHealth } from "../../core/state/health.ts";
import { metaOf } from "../../core/state/state.ts";
import { assignmentsOf } from "../../core/state/view.ts";
import type { AgentHello, AgentMessage, AgentSession } from "../../ports/agent-link.ts";
import type { CancelTimer } from "../../ports/clock.ts";
import { LogRelay } from "./log-relay.ts";
import type { LoopParts } from "./loop-parts.ts";
import { SYSTEM } from "./replica.ts";

/** Gathers the changes of one burst into one message. */
const PUSH_DELAY_MS = 1;
const CHECK_PERIOD_MS = 1_000;
/** Clocks further apart than this make a node unusable: times in its output would mislead. */
const CLOCK_SKEW_MAX_MS = 60_000;
/** A restarted agent or server takes about a second; an agent that was stopped stays away. */
const RECONNECT_MS = 3_000;
/** After the agent has surely ended isolated work, a little more for clocks that run apart. */
const ISOLATION_MARGIN_MS = 10_000;

interface Connection {
  readonly session: AgentSession;
  readonly instanceId: string;
  clockSkewMs: number;
  issues: readonly string[];
  /** Runs that the agent had and should not have. */
  readonly stale: Set<string>;
}

/** The server's handle on one accepted stream. */
export interface AgentConnection {
  receive(message: AgentMessage): void;
  close(): void;
}

export class AgentHub {
  readonly logs: LogRelay;
  readonly #parts: LoopParts;
  readonly #connections = new Map<NodeId, Connection>();
  readonly #lastSeen = new Map<NodeId, Millis>();
  readonly #dirty = new Set<NodeId>();
  readonly #judging = new Set<NodeId>();
  #listeningSince: Millis;
  #pushTimer: CancelTimer | undefined;
  #checkTimer: CancelTimer | undefined;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#listeningSince = parts.clock.now();
    this.logs = new LogRelay(parts.clock);
  }

  start(): void {
    const { replica, clock } = this.#parts;
    replica.onEvents((events) => this.#onEvents(events));
    this.#checkTimer = clock.every(CHECK_PERIOD_MS, () => this.#judgeAll());
    let wasLeader = replica.isLeader;
    replica.onStatus(() => {
      // A new leader has heard nobody yet: every node gets a fresh grace period.
      if (replica.isLeader && !wasLeader) this.#listeningSince = clock.now();
      wasLeader = replica.isLeader;
    });
  }

  stop(): void {
    this.#checkTimer?.();
    this.#pushTimer?.();
    for (const { session } of this.#connections.values()) session.close("this server is stopping");
    this.#connections.clear();
  }

  get connectedCount(): number {
    return this.#connections.size;
  }

  /** Returns when the node was last heard by this server. */
  lastSeen(node: NodeId): Millis | undefined {
    return this.#lastSeen.get(node);
  }

  /** Returns the stream of a node. @throws AGENT_UNREACHABLE when it has none. */
  sessionOf(node: NodeId): AgentSession {
    const connection = this.#connections.get(node);
    if (!connection) throw new LatticeError(fault("AGENT_UNREACHABLE", `the agent of node ${node} is not connected`));
    return connection.session;
  }

  /**
   * Takes in an agent.
   * @throws ALREADY_EXISTS when another living agent has the name, ILLEGAL_TRANSITION when
   * the agent belongs to another cluster.
   */
  async open(hello: AgentHello, session: AgentSession): Promise<AgentConnection> {
    const { registration } = hello;
    const { nodeId, instanceId } = registration;
    const { replica, clock, log, settings } = this.#parts;
    this.#refuseStranger(hello);
    const rival = this.#connections.get(nodeId);
    if (rival && rival.instanceId !== instanceId) {
      const text = `node ${nodeId} is in use by another agent`;
      throw new LatticeError(fault("ALREADY_EXISTS", text, "give this agent another --node-id"));
    }
    if (this.#isNewRegistration(hello)) {
      await replica.propose({ kind: "register-node", registration, issues: [] }, SYSTEM);
    }
    await this.#loseMissing(nodeId, hello.workloads);
    rival?.session.close("the same agent connected again");
    const connection: Connection = {
      session,
      instanceId,
      clockSkewMs: hello.clock - clock.now(),
      issues: [],
      stale: this.#staleOf(nodeId, hello.workloads),
    };
    this.#connections.set(nodeId, connection);
    this.#lastSeen.set(nodeId, clock.now());
    log.info("agent connected", { node: nodeId, address: registration.address, version: registration.agentVersion });
    session.send({
      kind: "welcome",
      serverVersion: this.#parts.version,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      isolationGraceMs: settings.gracePeriodMs,
    });
    this.#push(nodeId);
    this.#takeReports(nodeId, connection, { sequence: 0, workloads: hello.workloads });
    this.#judge(nodeId);
    return {
      receive: (message) => this.#receive(nodeId, connection, message),
      close: () => this.#close(nodeId, connection),
    };
  }

  /** An agent of another cluster may run that cluster's work: taking it over silently would end it. */
  #refuseStranger({ registration, fence: { clusterId } }: AgentHello): void {
    const own = metaOf(this.#parts.replica.state).clusterId;
    if (clusterId === "" || own === "" || clusterId === own) return;
    const text = `the agent of node ${registration.nodeId} belongs to cluster ${clusterId}, and this is ${own}`;
    const next = "correct --quorum-endpoint, or remove the agent's state directory once nothing of that cluster runs";
    throw new LatticeError(fault("ILLEGAL_TRANSITION", text, next));
  }

  #close(nodeId: NodeId, connection: Connection): void {
    if (this.#connections.get(nodeId) !== connection) return;
    this.#connections.delete(nodeId);
    this.#parts.log.info("agent disconnected", { node: nodeId });
  }

  #isNewRegistration({ registration }: AgentHello): boolean {
    const known = this.#parts.replica.state.tables.nodes.get(registration.nodeId);
    if (!known) return true;
    const { instanceId, agentVersion, address, capacity } = registration;
    const told = JSON.stringify([instanceId, agentVersion, address, capacity]);
    return told !== JSON.stringify([known.instanceId, known.agentVersion, known.address, known.capacity]);
  }

  /**
   * Ends the parts that the state says are on the node and the agent does not have: after a
   * restore they have ended unseen, and named again they would run a second time.
   */
  async #loseMissing(node: NodeId, workloads: readonly WorkloadReport[]): Promise<void> {
    const { replica, log } = this.#parts;
    const present = new Set(workloads.map(workloadName));
    const reports = assignmentsOf(replica.state, node)
      .filter((assignment) => !present.has(workloadName(assignment)) && this.#hasBegun(node, assignment.allocation))
      .map(({ allocation, attempt }): WorkloadReport => {
        return { allocation, attempt, phase: "ended", cause: "lost", detail: `node ${node} does not have it` };
      });
    if (reports.length === 0) return;
    log.warn("the agent lacks work that its node should have", { node, count: reports.length });
    await replica.propose({ kind: "record-reports", node, reports }, SYSTEM);
  }

  #hasBegun(node: NodeId, id: AllocationId): boolean {
    const part = this.#parts.replica.state.tables.allocations.get(id)?.parts.find((p) => p.claim.nodeId === node);
    return part?.phase === "ready" || part?.phase === "running";
  }

  /** Returns the runs that the node has and should not have. */
  #staleOf(node: NodeId, workloads: readonly WorkloadReport[]): Set<string> {
    const wanted = new Set(assignmentsOf(this.#parts.replica.state, node).map(workloadName));
    return new Set(
      workloads
        .filter((w) => w.phase !== "ended")
        .map(workloadName)
        .filter((name) => !wanted.has(name)),
    );
  }

  #receive(nodeId: NodeId, connection: Connection, message: AgentMessage): void {
    if (this.#connections.get(nodeId) !== connection) return;
    const now = this.#parts.clock.now();
    this.#lastSeen.set(nodeId, now);
    switch (message.kind) {
      case "heartbeat":
        connection.clockSkewMs = message.clock - now;
        connection.issues = message.issues;
        connection.session.send({ kind: "heartbeat-reply", sequence: message.sequence });
        this.#judge(nodeId);
        return;
      case "reports":
        this.#takeReports(nodeId, connection, message);
    }
  }

  #takeReports(
    nodeId: NodeId,
    connection: Connection,
    message: { readonly sequence: number; readonly workloads: readonly WorkloadReport[] },
  ): void {
    const { replica, log } = this.#parts;
    const confirm = () => connection.session.send({ kind: "reports-committed", sequence: message.sequence });
    for (const report of message.workloads) {
      if (report.phase === "ended" && connection.stale.delete(workloadName(report))) this.#judge(nodeId);
    }
    const reports = message.workloads.filter((report) => this.#isNews(nodeId, report));
    if (reports.length === 0) {
      confirm();
      return;
    }
    replica
      .propose({ kind: "record-reports", node: nodeId, reports }, SYSTEM)
      .then(confirm)
      .catch((error: unknown) => log.warn("reports were not stored: the agent repeats them", { node: nodeId, error }));
  }

  /** What the state holds already needs no entry in the log. */
  #isNews(nodeId: NodeId, report: WorkloadReport): boolean {
    const a = this.#parts.replica.state.tables.allocations.get(report.allocation);
    if (!a || a.attempt !== report.attempt || !holdsNodes(a.state)) return false;
    const part = a.parts.find((p) => p.claim.nodeId === nodeId);
    return part !== undefined && PART_PHASES.indexOf(report.phase) > PART_PHASES.indexOf(part.phase);
  }

  #onEvents(events: readonly StateEvent[]): void {
    for (const event of events) {
      if (event.kind === "assignments-changed") this.#dirty.add(event.node);
    }
    if (this.#dirty.size === 0) return;
    this.#pushTimer ??= this.#parts.clock.after(PUSH_DELAY_MS, () => {
      this.#pushTimer = undefined;
      for (const node of this.#dirty) this.#push(node);
      this.#dirty.clear();
    });
  }

  #push(node: NodeId): void {
    const connection = this.#connections.get(node);
    if (!connection) return;
    const { replica, settings } = this.#parts;
    const assignments = assignmentsOf(replica.state, node).map((a) => ({
      ...a,
      work: { ...a.work, setsSlurmEnv: settings.setsSlurmEnv },
    }));
    connection.session.send({ kind: "desired", desired: { fence: this.#fence(), assignments } });
  }

  #fence(): Fence {
    const { replica } = this.#parts;
    const { clusterId, restoreEpoch } = metaOf(replica.state);
    return { clusterId, restoreEpoch, term: replica.status.term, index: replica.applied };
  }

  #judgeAll(): void {
    if (!this.#parts.replica.isLeader) return;
    for (const node of this.#parts.replica.state.tables.nodes.keys()) this.#judge(node);
  }

  /** Proposes the health of a node when it is another one than the state has. */
  #judge(id: NodeId): void {
    const { replica, settings, log } = this.#parts;
    const node = replica.state.tables.nodes.get(id);
    if (!node || !replica.isLeader || this.#judging.has(id)) return;
    const limits = {
      timeoutMs: settings.heartbeatTimeoutMs,
      graceMs: this.#holdsSensitiveWork(id) ? settings.sensitiveGracePeriodMs : settings.gracePeriodMs,
      clockSkewMs: CLOCK_SKEW_MAX_MS,
      reconnectMs: RECONNECT_MS,
    };
    const signs = this.#signsOf(id);
    const { health, reason } = judgeHealth(signs, limits, node.health);
    const isDown = health === "down" && node.health === "down";
    if (isDown || (health === node.health && this.#isKnown(node, reason, signs.issues))) return;
    this.#judging.add(id);
    const isolatedUntil = millis(this.#parts.clock.now() + ISOLATION_MARGIN_MS);
    replica
      .propose({ kind: "set-node-health", node: id, health, reason, issues: signs.issues, isolatedUntil }, SYSTEM)
      .then(() => log.info("node health changed", { node: id, from: node.health, to: health, reason }))
      .catch((error: unknown) => log.warn("node health was not stored", { node: id, error }))
      .finally(() => this.#judging.delete(id));
  }

  #isKnown(node: Node, reason: string, issues: readonly string[]): boolean {
    const keepsReason = node.isDisabled || node.drainReason !== undefined;
    return (keepsReason || node.reason === reason) && JSON.stringify(node.issues) === JSON.stringify(issues);
  }

  #signsOf(id: NodeId): AgentSigns {
    const connection = this.#connections.get(id);
    const heard = Math.max(this.#lastSeen.get(id) ?? 0, this.#listeningSince);
    return {
      silenceMs: this.#parts.clock.now() - heard,
      isConnected: connection !== undefined,
      clockSkewMs: connection?.clockSkewMs ?? 0,
      issues: connection?.issues ?? [],
      staleCount: connection?.stale.size ?? 0,
    };
  }

  #holdsSensitiveWork(id: NodeId): boolean {
    const { tables, indexes } = this.#parts.replica.state;
    const claims = indexes.nodeLoad.get(id)?.claims.keys() ?? [];
    return [...claims].some((a) => tables.allocations.get(a)?.spec.isSensitive === true);
  }
}
