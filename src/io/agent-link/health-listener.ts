/** The agent's own listener: health for whoever restarts it, metrics for whoever watches it. */
import { FAULTS, fault, LatticeError } from "../../core/domain/errors.ts";

/** Where it listens and what it tells. */
export interface HealthListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Text of /metrics, in the OpenMetrics format. */
  readonly metrics: () => string;
}

/** A listener that is listening. */
export interface HealthListener {
  readonly port: number;
  stop(): void;
}

const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Starts listening. @throws INTERNAL when the address cannot be bound. */
export function listenForHealth({ host, port, metrics }: HealthListenerOptions): HealthListener {
  try {
    const server = Bun.serve({
      hostname: host,
      port,
      fetch(request) {
        const { pathname } = new URL(request.url);
        if (pathname === "/healthz") return new Response("ok\n");
        if (pathname === "/metrics") return new Response(metrics(), { headers: { "content-type": OPEN_METRICS } });
        return new Response("not found; there are /healthz and /metrics\n", { status: FAULTS.ROUTE_NOT_FOUND.http });
      },
    });
    return { port: server.port ?? port, stop: () => void server.stop(true) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice = "end the program that uses it, or choose another with --grpc-addr";
    throw new LatticeError(fault("INTERNAL", `cannot listen on ${host}:${port}: ${reason}`, advice));
  }
}
