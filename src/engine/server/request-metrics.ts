/** How requests are counted: every face calls this once for each, so that they are told alike. */
import type { Operation } from "../../core/access/operations.ts";
import type { Server } from "./server.ts";

/** A request that has begun. */
export interface MeteredRequest {
  /** Takes the first outcome: `ok`, or the reason of the error. Later ones of the same request are not counted. */
  end(code: string): void;
}

/** Begins to count a request. */
export function meterRequest(
  { metrics, clock }: Pick<Server, "metrics" | "clock">,
  face: "rest" | "rpc",
  operation: Operation,
): MeteredRequest {
  const since = clock.monotonic();
  let isCounted = false;
  return {
    end(code) {
      if (isCounted) return;
      isCounted = true;
      metrics.count("lattice_api_requests_total", { face, operation, code });
      metrics.observe("lattice_api_request_duration_seconds", { face, operation }, (clock.monotonic() - since) / 1000);
    },
  };
}
