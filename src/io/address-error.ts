/** Errors of binding a port, told with the address and what to do. */
import { fault, LatticeError } from "../core/domain/errors.ts";

interface Address {
  readonly host: string;
  readonly port: number;
}

const CAUSES: Readonly<Record<string, readonly [what: string, next: string]>> = {
  EADDRINUSE: ["is in use by another process", "end that process (ss -ltnp shows it), or choose another port with"],
  EACCES: ["may not be bound by this user", "grant CAP_NET_BIND_SERVICE, or choose a port above 1023 with"],
  EADDRNOTAVAIL: ["is no address of this machine", "choose an address that the machine has with"],
};

/** Returns the error for a port that could not be bound; `setting` names what chooses it. */
export function addressError({ host, port }: Address, cause: unknown, setting = "the configuration"): LatticeError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const said = cause instanceof Error ? cause.message : String(cause);
  const [what, next] = CAUSES[code] ?? [`cannot be bound: ${said}`, "choose another address with"];
  return new LatticeError(fault("INTERNAL", `${addressText({ host, port })} ${what}`, `${next} ${setting}`), { cause });
}

/** Returns host:port, with brackets around an IPv6 address. */
const addressText = ({ host, port }: Address): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
