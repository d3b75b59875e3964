/** What an agent tells of what happens to its workloads: starts, ends, failures. */
import type { AgentInput } from "../../core/agent/agent.ts";
import { workloadName } from "../../core/domain/workload.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Metrics } from "../../ports/metrics.ts";

/** What an input of the core needs besides the time. */
export type Happening = AgentInput extends infer Input ? (Input extends unknown ? Omit<Input, "at"> : never) : never;

const MILLISECONDS = 1000;

/** Returns what counts the happenings of workloads; each is handed to it once. */
export function meterWorkloads(where: { readonly metrics?: Metrics; readonly clock: Clock }) {
  const { metrics, clock } = where;
  if (!metrics) return () => {};
  /** Workloads that are wanted and have not started, since when. */
  const wanted = new Map<string, number>();
  return (happening: Happening): void => {
    switch (happening.kind) {
      case "desired-received": {
        const names = new Set(happening.desired.assignments.map(workloadName));
        for (const name of wanted.keys()) if (!names.has(name)) wanted.delete(name);
        for (const name of names) if (!wanted.has(name)) wanted.set(name, clock.monotonic());
        return;
      }
      case "started": {
        const since = wanted.get(workloadName(happening.key)) ?? clock.monotonic();
        metrics.observe("lattice_agent_allocation_startup_seconds", {}, (clock.monotonic() - since) / MILLISECONDS);
        return;
      }
      case "exited":
        metrics.count("lattice_agent_workloads_ended_total", { cause: happening.exit.cause });
        return;
      case "prepare-failed":
      case "start-failed":
      case "kill-failed":
        metrics.count("lattice_agent_failures_total", { step: happening.kind.replace("-failed", "") });
        return;
    }
  };
}
