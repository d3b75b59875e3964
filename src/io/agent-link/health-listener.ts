/** The agent's own listener: health for whoever restarts it, metrics for whoever watches it. */
import { FAULTS } from "../../core/domain/errors.ts";
import type { Exposition } from "../../ports/metrics.ts";
import { addressError } from "../address-error.ts";

/** Where it listens and what it tells. */
export interface HealthListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What /metrics answers with. */
  readonly exposition: Exposition;
}

/** A listener that is listening. */
export interface HealthListener {
  readonly port: number;
  stop(): void;
}

/** Starts listening. @throws INTERNAL when the address cannot be bound. */
export function listenForHealth({ host, port, exposition }: HealthListenerOptions): HealthListener {
  try {
    const server = Bun.serve({
      hostname: host,
      port,
      async fetch(request) {
        const { pathname } = new URL(request.url);
        if (pathname === "/healthz") return new Response("ok\n");
        if (pathname === "/metrics") {
          return new Response(await exposition.text(), { headers: { "content-type": exposition.contentType } });
        }
        return new Response("not found; there are /healthz and /metrics\n", { status: FAULTS.ROUTE_NOT_FOUND.http });
      },
    });
    return { port: server.port ?? port, stop: () => void server.stop(true) };
  } catch (error) {
    throw addressError({ host, port }, error, "--grpc-addr");
  }
}
