/** How requests are counted and logged: every face calls this once for each, so that they are told alike. */
import type { Operation } from "../../core/access/operations.ts";
import type { Server } from "./server.ts";

/** A request that has begun. */
export interface MeteredRequest {
  /** Takes the first outcome: `ok`, or the reason of the error. Later ones of the same request are not counted. */
  end(code: string): void;
}

/** What a request is known by. */
export interface RequestName {
  readonly face: "rest" | "rpc";
  readonly operation: Operation;
  readonly requestId: string;
}

/** Begins to count a request. */
export function meterRequest(
  { metrics, clock, log }: Pick<Server, "metrics" | "clock" | "log">,
  { face, operation, requestId }: RequestName,
): MeteredRequest {
  const since = clock.monotonic();
  let isCounted = false;
  return {
    end(code) {
      if (isCounted) return;
      isCounted = true;
      metrics.count("lattice_api_requests_total", { face, operation, code });
      const tookMs = clock.monotonic() - since;
      metrics.observe("lattice_api_request_duration_seconds", { face, operation }, tookMs / 1000);
      log.debug("request answered", { requestId, face, operation, code, tookMs });
    },
  };
}
