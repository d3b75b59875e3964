/**
 * Who is heard, and what follows from it. Every server knows its own agents; followers tell
 * the leader theirs once a second, and the leader alone judges, so that the log has one
 * opinion of each node.
 *
 * Invariant INV-O3: a heartbeat is answered only once the leader counts the agent as alive,
 * so that an agent which believes to be heard is not given up.
 */
import type { Millis } from "../../../base/brand.ts";
import { millis } from "../../../base/brand.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { NodeId } from "../../../core/domain/ids.ts";
import type { Node } from "../../../core/domain/node.ts";
import type { MemberId } from "../../../core/raft/raft-types.ts";
import type { AgentSigns } from "../../../core/state/health.ts";
import { judgeHealth } from "../../../core/state/health.ts";
import { metaOf } from "../../../core/state/state.ts";
import type { CancelTimer } from "../../../ports/clock.ts";
import type { LoopParts } from "../loop-parts.ts";
import { SYSTEM } from "../replica.ts";
import type { AgentRoll, ArrivingAgent, NodeSigns } from "./agent-signs.ts";
import { ADMIT_AGENT, LAST_SEEN, TELL_SIGNS } from "./agent-signs.ts";

const ROUND_MS = 1_000;
/** News of an agent reaches the leader sooner. */
const NEWS_DELAY_MS = 5;
/** Clocks further apart than this make a node unusable: times in its output would mislead. */
const CLOCK_SKEW_MAX_MS = 60_000;
/** A restarted agent or server takes about a second; an agent that was stopped stays away. */
const RECONNECT_MS = 3_000;
/** A server that tells nothing for so long holds no agents, as far as others know. */
const TELLER_SILENCE_MS = 4_000;
/** Servers whose clocks are further apart may give up isolated work before it has surely ended. */
const SERVER_SKEW_MAX_MS = 5_000;
/** By then the server that took the agent in has told of it. */
const ARRIVAL_MS = 5_000;
/** After the agent has surely ended isolated work, a little more for clocks that run apart. */
const ISOLATION_MARGIN_MS = 10_000;

/** The agents of this server. */
export interface OwnAgents {
  signsOf(node: NodeId): NodeSigns | undefined;
  /** Returns the signs of all, and what confirms to each agent that the leader knows of them. */
  report(): { readonly signs: readonly NodeSigns[]; readonly confirm: () => void };
}

/** The agents of another server, as it told them. */
interface Told {
  readonly at: number;
  readonly signs: ReadonlyMap<NodeId, NodeSigns>;
}

interface Arrival {
  readonly instanceId: string;
  readonly at: number;
}

/** The part of each server that hears nodes, and of the leader that judges them. */
export class NodeHealthLoop {
  readonly #parts: LoopParts;
  readonly #own: OwnAgents;
  readonly #told = new Map<MemberId, Told>();
  readonly #arrivals = new Map<NodeId, Arrival>();
  /** When each node was last heard, here or by those who told; on the monotonic clock. */
  readonly #heard = new Map<NodeId, number>();
  readonly #judging = new Set<NodeId>();
  /** Servers whose clocks differ from this one's. */
  readonly #apart = new Set<MemberId>();
  #listeningSince: number;
  #round: CancelTimer | undefined;
  #news: CancelTimer | undefined;
  #isTelling = false;

  constructor(parts: LoopParts, own: OwnAgents) {
    this.#parts = parts;
    this.#own = own;
    this.#listeningSince = parts.clock.monotonic();
  }

  start(): void {
    const { replica, clock, bus } = this.#parts;
    bus.answer(TELL_SIGNS, (from, signs) => this.#onTold(from, signs));
    bus.answer(ADMIT_AGENT, (_, agent) => this.#onArrival(agent));
    bus.answer(LAST_SEEN, (_, nodes) => nodes.map((node) => this.#silenceOf(node) ?? null));
    let known = replica.status.leader;
    replica.listen({
      onRole: (isLeader) => this.#onRole(isLeader),
      onStatus: () => {
        const { leader } = replica.status;
        if (leader !== known) this.#tellSoon();
        known = leader;
      },
    });
    this.#round = clock.every(ROUND_MS, () => this.#go());
  }

  stop(): void {
    this.#round?.();
    this.#news?.();
  }

  /** An agent of this server has spoken; `isNews` when it said what may change how its node is judged. */
  onHeard(node: NodeId, isNews: boolean): void {
    this.#heard.set(node, this.#parts.clock.monotonic());
    if (this.#parts.replica.isLeader) this.#judge(node);
    else if (isNews) this.#tellSoon();
  }

  /** An agent's stream has ended here. */
  onGone(): void {
    if (!this.#parts.replica.isLeader) this.#tellSoon();
  }

  /** Lets an agent of this server speak for its node. @throws ALREADY_EXISTS while another living one does, NO_QUORUM. */
  async admit(agent: ArrivingAgent): Promise<void> {
    await this.#parts.bus.askLeader(ADMIT_AGENT, agent);
  }

  /** Returns for each node how long ago it was last heard by any server, as far as is known. */
  async silences(nodes: readonly NodeId[]): Promise<readonly (number | undefined)[]> {
    const own = nodes.map((node) => this.#silenceOf(node));
    if (this.#parts.replica.isLeader || nodes.length === 0) return own;
    const told = await this.#parts.bus.askLeader(LAST_SEEN, nodes).catch(() => []);
    return own.map((silence, i) => told[i] ?? silence);
  }

  /** A new leader has heard nobody yet: every node gets a fresh grace period. */
  #onRole(isLeader: boolean): void {
    this.#told.clear();
    this.#arrivals.clear();
    if (isLeader) this.#listeningSince = this.#parts.clock.monotonic();
    this.#go();
  }

  #go(): void {
    if (this.#parts.replica.isLeader) this.#judgeAll();
    else void this.#tell();
  }

  #tellSoon(): void {
    this.#news ??= this.#parts.clock.after(NEWS_DELAY_MS, () => {
      this.#news = undefined;
      this.#go();
    });
  }

  async #tell(): Promise<void> {
    const { bus, log, replica, clock } = this.#parts;
    if (this.#isTelling || replica.status.leader === undefined) return;
    this.#isTelling = true;
    const { signs, confirm } = this.#own.report();
    try {
      await bus.askLeader(TELL_SIGNS, { clock: clock.now(), signs });
      confirm();
    } catch (error) {
      log.debug("the leader was not told of the agents here", { count: signs.length, error });
    } finally {
      this.#isTelling = false;
    }
  }

  #onTold(from: MemberId, { clock, signs }: AgentRoll) {
    this.#demandLead();
    this.#compareClocks(from, clock);
    const at = this.#parts.clock.monotonic();
    this.#told.set(from, { at, signs: new Map(signs.map((sign) => [sign.node, sign])) });
    for (const { node, silenceMs } of signs) {
      this.#heard.set(node, Math.max(this.#heard.get(node) ?? Number.NEGATIVE_INFINITY, at - silenceMs));
      this.#judge(node);
    }
    return { ok: true };
  }

  #compareClocks(server: MemberId, clock: Millis): void {
    const skewMs = clock - this.#parts.clock.now();
    const isApart = Math.abs(skewMs) > SERVER_SKEW_MAX_MS;
    if (isApart === this.#apart.has(server)) return;
    if (isApart) {
      this.#apart.add(server);
      this.#parts.log.error("the clocks of the servers are apart: set up NTP", { server, skewMs });
    } else {
      this.#apart.delete(server);
    }
  }

  #onArrival({ node, instanceId }: ArrivingAgent) {
    this.#demandLead();
    const at = this.#parts.clock.monotonic();
    const arrival = this.#arrivals.get(node);
    const recent = arrival && at - arrival.at < ARRIVAL_MS ? [arrival] : [];
    const { heartbeatTimeoutMs, gracePeriodMs } = this.#parts.settings;
    // Of an agent that has been silent for so long only a stream may be left that nobody ended.
    const living = this.#holdersOf(node).filter(({ silenceMs }) => silenceMs <= heartbeatTimeoutMs + gracePeriodMs);
    const rivals = [...recent, ...living].filter((rival) => rival.instanceId !== instanceId);
    if (rivals.length > 0) {
      const text = `node ${node} is in use by another agent`;
      throw new LatticeError(fault("ALREADY_EXISTS", text, "give this agent another --node-id"));
    }
    this.#arrivals.set(node, { instanceId, at });
    this.#heard.set(node, at);
    return { ok: true };
  }

  #demandLead(): void {
    if (this.#parts.replica.isLeader) return;
    throw new LatticeError({ reason: "NO_QUORUM", message: "this server does not lead", retryAfterMs: 500 });
  }

  /** Returns the signs of the node by each server that holds a stream of its agent. */
  #holdersOf(node: NodeId): readonly NodeSigns[] {
    const now = this.#parts.clock.monotonic();
    const own = this.#own.signsOf(node);
    const holders = own ? [own] : [];
    for (const { at, signs } of this.#told.values()) {
      const sign = now - at < TELLER_SILENCE_MS ? signs.get(node) : undefined;
      if (sign) holders.push({ ...sign, silenceMs: sign.silenceMs + now - at });
    }
    return holders;
  }

  #silenceOf(node: NodeId): number | undefined {
    const heard = this.#heard.get(node);
    return heard === undefined ? undefined : this.#parts.clock.monotonic() - heard;
  }

  #judgeAll(): void {
    const { nodes } = this.#parts.replica.state.tables;
    for (const node of nodes.keys()) this.#judge(node);
  }

  /** Proposes the health of a node when it is another one than the state has. */
  #judge(id: NodeId): void {
    const { replica, settings, log, clock } = this.#parts;
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
    if (isDown || (health === node.health && isKnown(node, reason, signs.issues))) return;
    this.#judging.add(id);
    // The state compares it with its own time, which a server whose clock is ahead has moved on.
    const isolatedUntil = millis(Math.max(clock.now(), metaOf(replica.state).time) + ISOLATION_MARGIN_MS);
    replica
      .propose({ kind: "set-node-health", node: id, health, reason, issues: signs.issues, isolatedUntil }, SYSTEM)
      .then(() => log.info("node health changed", { node: id, from: node.health, to: health, reason }))
      .catch((error: unknown) => log.warn("node health was not stored", { node: id, error }))
      .finally(() => this.#judging.delete(id));
  }

  /** Of two streams the one that was heard last counts: an agent may have moved. */
  #signsOf(id: NodeId): AgentSigns {
    const [best] = this.#holdersOf(id).toSorted((a, b) => a.silenceMs - b.silenceMs);
    const heard = Math.max(this.#heard.get(id) ?? Number.NEGATIVE_INFINITY, this.#listeningSince);
    return {
      silenceMs: this.#parts.clock.monotonic() - heard,
      isConnected: best !== undefined,
      clockSkewMs: best?.clockSkewMs ?? 0,
      issues: best?.issues ?? [],
      staleCount: best?.staleCount ?? 0,
    };
  }

  #holdsSensitiveWork(id: NodeId): boolean {
    const { tables, indexes } = this.#parts.replica.state;
    if (tables.nodes.get(id)?.sensitiveClaim) return true;
    const claims = indexes.nodeLoad.get(id)?.claims.keys() ?? [];
    return [...claims].some((a) => tables.allocations.get(a)?.spec.isSensitive === true);
  }
}

function isKnown(node: Node, reason: string, issues: readonly string[]): boolean {
  const keepsReason = node.isDisabled || node.drainReason !== undefined;
  return (keepsReason || node.reason === reason) && JSON.stringify(node.issues) === JSON.stringify(issues);
}
