/**
 * Has services grow and shrink: measures each that runs, now and then, and proposes what
 * `decideScale` says. Only the leader does; what it remembers of the metrics is lost with it,
 * so another leader waits a little longer. Whoever waits in the queue comes before growth.
 */
import type { Allocation } from "../../../core/domain/allocation.ts";
import { nodesOf } from "../../../core/domain/allocation.ts";
import type { AllocationId } from "../../../core/domain/ids.ts";
import type { ScaleMemory, ScaleVerdict } from "../../../core/scheduler/autoscale.ts";
import { decideScale } from "../../../core/scheduler/autoscale.ts";
import { claimForOneMore } from "../../../core/scheduler/one-more.ts";
import { viewOf } from "../../../core/state/view.ts";
import type { CancelTimer } from "../../../ports/clock.ts";
import type { ServiceMetrics } from "../../../ports/service-metrics.ts";
import type { LoopParts } from "../loop-parts.ts";
import { SYSTEM } from "../replica.ts";

/** Looks at services, where their metrics can be had. */
export class AutoscaleLoop {
  readonly #parts: LoopParts;
  readonly #source: ServiceMetrics | undefined;
  readonly #memory = new Map<AllocationId, ScaleMemory>();
  #timer: CancelTimer | undefined;
  #isBusy = false;

  constructor(parts: LoopParts, source: ServiceMetrics | undefined) {
    this.#parts = parts;
    this.#source = source;
  }

  /** Measures from now on as often as the settings say. */
  begin(): void {
    const { clock, settings } = this.#parts;
    this.#timer?.();
    if (this.#source) this.#timer = clock.every(settings.autoscale.intervalMs, () => void this.#round());
  }

  stop(): void {
    this.#timer?.();
  }

  async #round(): Promise<void> {
    const { replica, log } = this.#parts;
    if (this.#isBusy || !replica.isLeader || !this.#source) return;
    this.#isBusy = true;
    try {
      const services = [...replica.state.indexes.active].flatMap((id) => {
        const a = replica.state.tables.allocations.get(id);
        return a?.spec.reactive && a.state === "running" && !a.stopping ? [a] : [];
      });
      for (const id of this.#memory.keys()) if (!services.some((a) => a.id === id)) this.#memory.delete(id);
      for (const service of services) await this.#look(service, this.#source);
    } catch (error) {
      log.warn("services were not scaled", { error });
    } finally {
      this.#isBusy = false;
    }
  }

  async #look(service: Allocation, source: ServiceMetrics): Promise<void> {
    const { clock, settings, log } = this.#parts;
    const { id, spec, scaledAt } = service;
    const { metric, target, nodesMin, nodesMax } = spec.reactive ?? {
      metric: "",
      target: "",
      nodesMin: 1,
      nodesMax: 1,
    };
    const question = { metric, allocation: id, name: spec.name, tenant: spec.tenant };
    const value = await source.read(question).catch((error: unknown) => {
      log.warn("the metric of a service cannot be read", { allocation: id, metric, error });
      return undefined;
    });
    const nodes = service.parts.filter((part) => !part.isLeaving).length;
    const look = { now: clock.now(), value, target: Number(target), nodes, nodesMin, nodesMax, scaledAt };
    const { change, memory } = decideScale(settings.autoscale, this.#memory.get(id) ?? {}, look);
    this.#memory.set(id, memory);
    if (change !== "none") await this.#scale(service, change, `${metric} is ${value}, its target ${target}`);
  }

  async #scale(service: Allocation, kind: Exclude<ScaleVerdict["change"], "none">, why: string): Promise<void> {
    const { replica, log } = this.#parts;
    const { id: allocation, version } = service;
    if (kind === "shrink") {
      await replica.propose({ kind: "scale-service", allocation, version, change: { kind }, why }, SYSTEM);
      return;
    }
    const view = viewOf(replica.state);
    const isWanted = view.pendingCount > 0 || replica.state.indexes.holders.size > 0;
    const claim = isWanted ? undefined : claimForOneMore(view, service.spec, nodesOf(service));
    if (!claim) {
      log.debug("a service stays as it is", { allocation, reason: isWanted ? "others wait" : "no node suits it" });
      return;
    }
    await replica.propose({ kind: "scale-service", allocation, version, change: { kind, claim }, why }, SYSTEM);
  }
}
