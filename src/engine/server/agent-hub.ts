/**
 * The agents' streams that end at this server: tells each node what should be on it, from
 * this server's own state, and takes in what is. Whether a node is well, the leader judges
 * (node-health.ts).
 */
import { accountOf } from "../../core/access/account-map.ts";
import { PART_PHASES } from "../../core/domain/allocation.ts";
import type { Fence, WorkloadReport } from "../../core/domain/assignment.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { AllocationId, NodeId } from "../../core/domain/ids.ts";
import { holdsNodes } from "../../core/domain/lifecycle.ts";
import { workloadName } from "../../core/domain/workload.ts";
import type { StateEvent } from "../../core/state/events.ts";
import { metaOf } from "../../core/state/state.ts";
import { assignmentsOf, wipeOf } from "../../core/state/view.ts";
import type { AgentHello, AgentMessage, AgentSession } from "../../ports/agent-link.ts";
import type { CancelTimer } from "../../ports/clock.ts";
import { AgentSilence } from "./agent-silence-metrics.ts";
import type { NodeSigns } from "./agents/agent-signs.ts";
import { LogRelay } from "./agents/log-relay.ts";
import { NodeHealthLoop } from "./agents/node-health.ts";
import type { Wiped } from "./agents/wipe-results.ts";
import { takeWipeResult } from "./agents/wipe-results.ts";
import type { Auditor } from "./audit/auditor.ts";
import type { LoopParts } from "./loop-parts.ts";
import { SYSTEM } from "./replica.ts";

/** Gathers the changes of one burst into one message. */
const PUSH_DELAY_MS = 1;
/** After this long, reports that were not stored are proposed again: the servers may have a leader by then. */
const RETRY_MS = 500;
const UNSTORED_MAX = 20;

interface Connection {
  readonly session: AgentSession;
  readonly instanceId: string;
  /** On the monotonic clock. */
  heardAt: number;
  /** The latest heartbeat that is not confirmed. */
  heartbeat: number | undefined;
  clockSkewMs: number;
  issues: readonly string[];
  /** Runs that the agent had and should not have. */
  stale: Set<string>;
  /** Reports that could not be stored yet. */
  readonly unstored: Reports[];
}

interface Reports {
  readonly sequence: number;
  readonly workloads: readonly WorkloadReport[];
}

/** The server's handle on one accepted stream. */
export interface AgentConnection {
  receive(message: AgentMessage): void;
  close(): void;
}

export class AgentHub {
  readonly logs: LogRelay;
  readonly health: NodeHealthLoop;
  readonly #parts: LoopParts;
  readonly #auditor: Auditor;
  readonly #connections = new Map<NodeId, Connection>();
  readonly #dirty = new Set<NodeId>();
  readonly #silence = new AgentSilence();
  #pushTimer: CancelTimer | undefined;
  #retryTimer: CancelTimer | undefined;

  constructor(parts: LoopParts, auditor: Auditor) {
    this.#auditor = auditor;
    this.#parts = parts;
    this.health = new NodeHealthLoop(parts, {
      signsOf: (node) => this.#signsOf(node),
      report: () => this.#report(),
    });
    this.logs = new LogRelay({ ...parts, sessionOf: (node) => this.#sessionOf(node) });
  }

  start(): void {
    this.#parts.replica.listen({
      onEvents: (events) => this.#onEvents(events),
      onReplaced: () => this.#onReplaced(),
    });
    this.logs.start();
    this.health.start();
  }

  stop(): void {
    this.health.stop();
    this.#pushTimer?.();
    this.#retryTimer?.();
    for (const { session } of this.#connections.values()) session.close("this server is stopping");
    this.#connections.clear();
  }

  get connectedCount(): number {
    return this.#connections.size;
  }

  /** Of the agent here that was not heard for longest; undefined without agents. */
  get longestSilenceMs(): number | undefined {
    return this.#silence.longest(this.#parts.clock.monotonic());
  }

  /**
   * Takes in an agent.
   * @throws ALREADY_EXISTS when another living agent has the name, ILLEGAL_TRANSITION when
   * the agent belongs to another cluster, NO_QUORUM while no leader can tell.
   */
  async open(hello: AgentHello, session: AgentSession): Promise<AgentConnection> {
    const { registration, workloads } = hello;
    const { nodeId, instanceId } = registration;
    const { replica, clock, log } = this.#parts;
    // An agent obeys what it is told first: that must not be an old state.
    await replica.readBarrier();
    this.#refuseStranger(hello);
    await this.health.admit({ node: nodeId, instanceId });
    if (this.#isNewRegistration(hello)) {
      await replica.propose({ kind: "register-node", registration, issues: [] }, SYSTEM);
    }
    await this.#loseMissing(nodeId, workloads);
    this.#connections.get(nodeId)?.session.close("the agent of this node connected again");
    const connection: Connection = {
      session,
      instanceId,
      heardAt: clock.monotonic(),
      heartbeat: undefined,
      clockSkewMs: hello.clock - clock.now(),
      issues: [],
      stale: this.#staleOf(nodeId, workloads),
      unstored: [],
    };
    this.#connections.set(nodeId, connection);
    this.#silence.gone(nodeId);
    this.#silence.heard(nodeId, connection.heardAt);
    log.info("agent connected", { node: nodeId, address: registration.address, version: registration.agentVersion });
    this.#welcome(session);
    this.#push(nodeId);
    this.#takeReports(nodeId, connection, { sequence: 0, workloads });
    this.health.onHeard(nodeId, true);
    return {
      receive: (message) => this.#receive(nodeId, connection, message),
      close: () => this.#close(nodeId, connection),
    };
  }

  #welcome(session: AgentSession): void {
    const { version, settings } = this.#parts;
    session.send({
      kind: "welcome",
      serverVersion: version,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      isolationGraceMs: settings.gracePeriodMs,
    });
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
    this.#silence.gone(nodeId);
    this.#parts.log.info("agent disconnected", { node: nodeId });
    this.health.onGone();
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
    connection.heardAt = this.#parts.clock.monotonic();
    const silence = this.#silence.heard(nodeId, connection.heardAt) ?? 0;
    this.#parts.metrics.observe("lattice_agent_heartbeat_interval_seconds", {}, silence / 1000);
    if (message.kind === "reports") {
      this.health.onHeard(nodeId, false);
      this.#takeReports(nodeId, connection, message);
      return;
    }
    if (message.kind === "wiped") {
      void this.#takeWiped(nodeId, message);
      return;
    }
    const isNews = message.issues.join() !== connection.issues.join();
    connection.clockSkewMs = message.clock - this.#parts.clock.now();
    connection.issues = message.issues;
    connection.heartbeat = message.sequence;
    this.health.onHeard(nodeId, isNews);
    // The leader knows by now; a follower's agents are confirmed once the leader was told.
    if (this.#parts.replica.isLeader) confirmHeartbeat(connection, message.sequence);
  }

  async #takeWiped(node: NodeId, said: Wiped): Promise<void> {
    if (await takeWipeResult(this.#parts, this.#auditor, { node, said })) return;
    this.#parts.clock.after(RETRY_MS, () => this.#push(node));
  }

  #takeReports(nodeId: NodeId, connection: Connection, message: Reports): void {
    const { replica, log } = this.#parts;
    const confirm = () => connection.session.send({ kind: "reports-committed", sequence: message.sequence });
    for (const report of message.workloads) {
      if (report.phase === "ended" && connection.stale.delete(workloadName(report))) {
        this.health.onHeard(nodeId, true);
      }
    }
    const reports = message.workloads.filter((report) => this.#isNews(nodeId, report));
    if (reports.length === 0) {
      confirm();
      return;
    }
    replica
      .propose({ kind: "record-reports", node: nodeId, reports }, SYSTEM)
      .then(confirm)
      .catch((error: unknown) => {
        log.warn("reports were not stored: they are proposed again", { node: nodeId, error });
        this.#keepUnstored(connection, message);
      });
  }

  #keepUnstored({ unstored }: Connection, message: Reports): void {
    unstored.push(message);
    // The agent repeats what is not confirmed, so that later messages hold what earlier ones did.
    if (unstored.length > UNSTORED_MAX) unstored.shift();
    this.#retryTimer ??= this.#parts.clock.after(RETRY_MS, () => this.#retry());
  }

  #retry(): void {
    this.#retryTimer = undefined;
    for (const [node, connection] of this.#connections) {
      for (const message of connection.unstored.splice(0)) this.#takeReports(node, connection, message);
    }
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
    if (this.#dirty.size > 0) this.#pushSoon();
  }

  #onReplaced(): void {
    for (const node of this.#connections.keys()) this.#dirty.add(node);
    this.#pushSoon();
  }

  #pushSoon(): void {
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
      work: {
        ...a.work,
        user: accountOf(a.work.user, settings.accounts ?? {}),
        setsSlurmEnv: settings.setsSlurmEnv,
      },
    }));
    const wipe = wipeOf(replica.state, node);
    const desired = { fence: this.#fence(), assignments, ...(wipe !== undefined && { wipe }) };
    connection.session.send({ kind: "desired", desired });
  }

  #fence(): Fence {
    const { replica } = this.#parts;
    const { clusterId, restoreEpoch } = metaOf(replica.state);
    return { clusterId, restoreEpoch, term: replica.appliedTerm, index: replica.applied };
  }

  /** A stream whose agent is silent may have ended without a word: the agent may be at another server. */
  #sessionOf(node: NodeId): AgentSession | undefined {
    const connection = this.#connections.get(node);
    if (!connection) return undefined;
    const isSilent = this.#parts.clock.monotonic() - connection.heardAt > this.#parts.settings.heartbeatTimeoutMs;
    return isSilent ? undefined : connection.session;
  }

  #signsOf(node: NodeId): NodeSigns | undefined {
    const connection = this.#connections.get(node);
    if (!connection) return undefined;
    const { instanceId, heardAt, clockSkewMs, issues, stale } = connection;
    const silenceMs = this.#parts.clock.monotonic() - heardAt;
    return { node, instanceId, silenceMs, clockSkewMs, issues, staleCount: stale.size };
  }

  #report() {
    const signs = [...this.#connections.keys()].flatMap((node) => this.#signsOf(node) ?? []);
    const beats = [...this.#connections.values()].map((connection) => ({ connection, beat: connection.heartbeat }));
    const confirm = () => {
      for (const { connection, beat } of beats) if (beat !== undefined) confirmHeartbeat(connection, beat);
    };
    return { signs, confirm };
  }
}

function confirmHeartbeat(connection: Connection, sequence: number): void {
  if (connection.heartbeat === sequence) connection.heartbeat = undefined;
  connection.session.send({ kind: "heartbeat-reply", sequence });
}
