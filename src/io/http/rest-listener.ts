/**
 * The REST port: HTTP/1.1 and HTTP/2 cleartext on Bun's own server, which is the fastest way
 * in but sends no trailers, and so carries every protocol but native gRPC.
 */
import { addressError } from "../address-error.ts";
import type { HttpHandlers, Listener, ListenOptions } from "./handlers.ts";

/** Silence on a connection between requests, and while a request's head arrives. */
const IDLE_TIMEOUT_S = 120;

/**
 * Far above what the application takes, so that the application answers an oversized body
 * itself, and says so; this limit only bounds what is buffered for it.
 */
const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** Binds the REST port. @throws INTERNAL naming an address that cannot be bound. */
export function listenRest(options: ListenOptions, handlers: Pick<HttpHandlers, "fetch" | "locate">): Listener {
  const server = bind(options, handlers);
  return {
    port: server.port ?? options.port,
    async close(graceMs) {
      const drained = server.stop(false);
      const timer = setTimeout(() => server.stop(true), graceMs);
      await drained;
      clearTimeout(timer);
    },
  };
}

function bind({ host, port, setting }: ListenOptions, handlers: Pick<HttpHandlers, "fetch" | "locate">) {
  try {
    return Bun.serve({
      hostname: host,
      port,
      http2: true,
      idleTimeout: IDLE_TIMEOUT_S,
      maxRequestBodySize: BODY_BYTES_MAX,
      fetch(request, server) {
        // A request in hand may stay silent for as long as it likes: watches do.
        server.timeout(request, 0);
        const address = server.requestIP(request)?.address;
        if (address !== undefined) handlers.locate(request, address);
        return handlers.fetch(request);
      },
    });
  } catch (error) {
    throw addressError({ host, port }, error, setting);
  }
}
