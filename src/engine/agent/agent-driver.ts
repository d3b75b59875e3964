/**
 * The loop of an agent: feeds what happens to the pure core, one input at a time, and has
 * its effects carried out. It holds no rule of its own about workloads.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { Agent, AgentEffect } from "../../core/agent/agent.ts";
import { EMPTY_AGENT, issuesOf, reportsOf } from "../../core/agent/agent.ts";
import { step } from "../../core/agent/step.ts";
import type { Registration } from "../../core/domain/assignment.ts";
import { compareFence } from "../../core/domain/assignment.ts";
import type { AgentLink, LogRequest, ServerMessage } from "../../ports/agent-link.ts";
import type { AgentStore } from "../../ports/agent-store.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { NodeWipe } from "../../ports/node-wipe.ts";
import type { Runtime } from "../../ports/runtime.ts";
import { EffectRunner } from "./effect-runner.ts";
import { Wiper } from "./wiper.ts";
import type { Happening } from "./workload-metrics.ts";
import { meterWorkloads } from "./workload-metrics.ts";

/** What an agent is made of. */
export interface AgentDriverOptions {
  readonly registration: Registration;
  readonly clock: Clock;
  readonly log: Logger;
  readonly runtime: Runtime;
  readonly store: AgentStore;
  readonly link: AgentLink;
  /** How the node is wiped after sensitive work; absent: it cannot be. */
  readonly wipe?: NodeWipe;
  /** Where figures go; absent: nowhere. */
  readonly metrics?: Metrics;
}

/** Runs one node's agent. */
export class AgentDriver {
  readonly #options: AgentDriverOptions;
  readonly #runner: EffectRunner;
  readonly #wiper: Wiper;
  readonly #meter: (happening: Happening) => void;
  readonly #readers = new Map<string, AbortController>();
  #agent: Agent = EMPTY_AGENT;
  #heartbeat: CancelTimer = () => {};
  #heartbeatSequence = 0;
  #isConnected = false;
  #isProbing = false;
  #nodeIssues: readonly string[] = [];

  constructor(options: AgentDriverOptions) {
    this.#options = options;
    this.#wiper = new Wiper(options);
    this.#meter = meterWorkloads(options);
    this.#runner = new EffectRunner(options, (happening) => {
      this.#feed(happening);
      if (happening.kind === "prepare-failed" || happening.kind === "start-failed") void this.#probe();
    });
  }

  /** Takes up what earlier runs left, then dials the servers. */
  async start(): Promise<void> {
    const { runtime, store, link, log } = this.#options;
    const memory = await store.load();
    const workloads = await runtime.recover(this.#runner.exitListener);
    if (workloads.length > 0) log.info("found workloads of an earlier run", { count: workloads.length });
    this.#feed({ kind: "recovered", workloads, memory });
    link.start({
      hello: () => ({
        registration: this.#options.registration,
        fence: this.#agent.memory.fence,
        workloads: reportsOf(this.#agent),
        clock: this.#options.clock.now(),
      }),
      onMessage: (message) => this.#onMessage(message),
      onLost: (reason) => this.#onLost(reason),
    });
  }

  /** Lets go of the servers and of time; the workloads go on. */
  async stop(): Promise<void> {
    this.#options.link.close();
    this.#onLost("the agent stops");
    await this.#runner.close();
    await this.#options.runtime.close();
  }

  /** Whether a server has taken the agent in. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** The state of the moment, for metrics. */
  get agent(): Agent {
    return this.#agent;
  }

  #feed(happening: Happening): void {
    const input = { ...happening, at: this.#options.clock.now() };
    const { agent, effects } = step(this.#agent, input);
    this.#agent = agent;
    this.#meter(happening);
    for (const effect of effects) this.#carryOut(effect);
    this.#wiper.consider(agent.workloads.size);
  }

  #carryOut(effect: AgentEffect): void {
    if (effect.kind === "set-refused") {
      this.#options.log.warn("ignored a desired set older than one already obeyed", { fence: effect.fence });
    } else if (effect.kind === "report") {
      this.#options.link.send({ kind: "reports", sequence: effect.sequence, workloads: effect.workloads });
    } else {
      this.#runner.run(effect);
    }
  }

  #onMessage(message: ServerMessage): void {
    if (message.kind === "welcome") {
      this.#onWelcome(message.heartbeatIntervalMs, millis(message.isolationGraceMs));
      return;
    }
    switch (message.kind) {
      case "desired":
        if (compareFence(message.desired.fence, this.#agent.memory.fence) >= 0)
          this.#wiper.onDesired(message.desired.wipe);
        this.#feed({ kind: "desired-received", desired: message.desired });
        break;
      case "reports-committed":
        this.#feed({ kind: "reports-committed", sequence: message.sequence });
        break;
      case "log-request":
        this.#onLogRequest(message.request);
        break;
      case "log-cancel":
        this.#readers.get(message.requestId)?.abort();
        break;
      case "heartbeat-reply":
        // Only this says that the leader knows of the agent: a server that is cut off may still send the rest.
        this.#feed({ kind: "server-heard" });
        break;
    }
  }

  #onWelcome(heartbeatIntervalMs: number, isolationGraceMs: Millis): void {
    this.#isConnected = true;
    this.#heartbeat();
    this.#heartbeat = this.#options.clock.every(heartbeatIntervalMs, () => this.#beat());
    this.#feed({ kind: "welcomed", isolationGraceMs });
    this.#beat();
  }

  /** A probe that takes long delays no heartbeat: its findings go with the next one. */
  #beat(): void {
    this.#sendHeartbeat();
    void this.#probe();
  }

  #sendHeartbeat(): void {
    const sequence = ++this.#heartbeatSequence;
    const clock = this.#options.clock.now();
    const issues = [...issuesOf(this.#agent), ...this.#nodeIssues];
    this.#options.link.send({ kind: "heartbeat", sequence, clock, issues });
  }

  /** A node that fails whatever it is given would empty the queue: what is new about it is told at once. */
  async #probe(): Promise<void> {
    if (this.#isProbing) return;
    this.#isProbing = true;
    const { runtime, log } = this.#options;
    const before = this.#nodeIssues.join();
    this.#nodeIssues = await runtime.probe().catch((error: unknown) => [`the node cannot be probed: ${error}`]);
    this.#isProbing = false;
    if (this.#nodeIssues.join() === before) return;
    log.warn("what keeps the node from running work has changed", { issues: this.#nodeIssues });
    this.#sendHeartbeat();
  }

  #onLost(reason: string): void {
    if (this.#isConnected) this.#options.log.warn("lost the server", { reason });
    this.#isConnected = false;
    this.#heartbeat();
    this.#heartbeat = () => {};
    for (const reader of this.#readers.values()) reader.abort();
    this.#readers.clear();
  }

  #onLogRequest(request: LogRequest): void {
    if (this.#readers.has(request.requestId)) return;
    const reader = new AbortController();
    this.#readers.set(request.requestId, reader);
    const pieces = this.#options.runtime.readLogs(request, reader.signal);
    this.#options.link
      .sendLogs(request, pieces, reader.signal)
      .catch((error) => this.#options.log.debug("output was not sent", { error, request: request.requestId }))
      .finally(() => this.#readers.delete(request.requestId));
  }
}
