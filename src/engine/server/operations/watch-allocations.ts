/** Watching allocations change. */
import type { StateEvent } from "../../../core/state/events.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand, may, resourceOf } from "./access.ts";
import { find } from "./lookup.ts";
import type { AllocationEvent } from "./results.ts";

/** What to watch; absent fields match all. */
export interface WatchFilter {
  readonly ref?: string;
  readonly tenant?: string;
  readonly vcluster?: string;
  readonly dag?: string;
}

/** Yields changes from the moment of the call on, in the order of the log, until the caller goes. */
export function watchAllocations(server: Server, call: Call, filter: WatchFilter): AsyncIterable<AllocationEvent> {
  const found = filter.ref ? find(server, filter.ref) : undefined;
  demand(call, "allocation.watch", found ? resourceOf(found.record) : {});
  const wants = (event: StateEvent) =>
    event.kind === "allocation-changed" &&
    (!found || event.allocation === found.record.id || event.group === found.record.id) &&
    (!filter.tenant || event.tenant === filter.tenant) &&
    (!filter.vcluster || event.vcluster === filter.vcluster) &&
    (!filter.dag || event.dag === filter.dag) &&
    may(call, "allocation.watch", { owner: event.user, tenant: event.tenant, isSensitive: event.isSensitive });
  return allocationEvents(server.watches.watch(wants, call.signal));
}

async function* allocationEvents(events: AsyncIterable<StateEvent>): AsyncIterable<AllocationEvent> {
  for await (const event of events) {
    if (event.kind !== "allocation-changed") continue;
    const { index, at, allocation, shortId, tenant, from, to, message } = event;
    yield { index, at, allocation, shortId, tenant, to, message, ...(from && { from }) };
  }
}
