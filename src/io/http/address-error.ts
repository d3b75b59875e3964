/** Errors of binding a port, told with the address and what to do. */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { ListenOptions } from "./handlers.ts";

const CAUSES: Readonly<Record<string, readonly [what: string, next: string]>> = {
  EADDRINUSE: ["is in use by another process", "end that process, or configure another port"],
  EACCES: ["may not be bound by this user", "configure a port above 1023, or grant CAP_NET_BIND_SERVICE"],
  EADDRNOTAVAIL: ["is no address of this machine", "configure an address that the machine has"],
};

/** Returns the error for a port that could not be bound. */
export function addressError({ host, port }: ListenOptions, cause: unknown): LatticeError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const [what, next] = CAUSES[code] ?? [
    `cannot be bound: ${cause instanceof Error ? cause.message : String(cause)}`,
    "",
  ];
  return new LatticeError(fault("INVALID_SPEC", `${addressText({ host, port })} ${what}`, next || undefined), {
    cause,
  });
}

/** Returns host:port, with brackets around an IPv6 address. */
export const addressText = ({ host, port }: ListenOptions): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
