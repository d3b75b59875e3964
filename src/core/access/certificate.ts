/**
 * What a verified client certificate says of who holds it. A certificate that names hosts,
 * or an agent by a SPIFFE id, is a machine's and makes an agent; one that names neither is
 * a person's. A node id can only be used by a certificate that holds it, whole: wildcards
 * stand for addresses, never for nodes.
 *
 * Invariant INV-A3: where the caller has a certificate, it connects as no node, and
 * advertises no address, that its certificate does not name.
 */
import type { Fault } from "../domain/errors.ts";
import { fault } from "../domain/errors.ts";
import { nodeId, userId } from "../domain/ids.ts";
import type { Principal } from "../domain/principal.ts";

/** The names in a certificate that a trusted authority has signed. */
export interface CertificateIdentity {
  /** The common name of its subject; empty when it has none. */
  readonly subject: string;
  /** Lower case. */
  readonly dnsNames: readonly string[];
  /** IP addresses as eight or four groups, in one spelling. */
  readonly addresses: readonly string[];
  readonly uris: readonly string[];
  /** Milliseconds since the epoch. */
  readonly validUntil: number;
  /** The certificate itself, DER. */
  readonly der?: Uint8Array;
}

/** How SPIFFE ids end that name a machine of this system. */
const SPIFFE = /^spiffe:\/\/[^/]+(?:\/[^/]+)*\/(agent|node|server)\/([^/]+)$/;

/** How the servers' own authority names agents. */
const OWN_AGENT = /^spiffe:\/\/lattice\/agent\/[^/]+$/;

/** Returns whether the certificate names its holder as the servers' own authority names agents. */
export const isOwnAgent = ({ uris }: CertificateIdentity): boolean => uris.some((uri) => OWN_AGENT.test(uri));

/** Returns the node ids that the holder may use. */
export function nodesOf({ dnsNames, uris }: CertificateIdentity): readonly string[] {
  const named = uris.flatMap((uri) => {
    const [, kind, name] = SPIFFE.exec(uri) ?? [];
    return name !== undefined && kind !== "server" ? [name] : [];
  });
  return [...named, ...dnsNames.filter((name) => !name.startsWith("*"))];
}

/** Returns the principal of a machine's certificate; undefined when it is a person's. */
export function machineOf(certificate: CertificateIdentity): Principal | undefined {
  const { dnsNames, addresses, uris } = certificate;
  const isServer = uris.some((uri) => SPIFFE.exec(uri)?.[1] === "server");
  const nodes = nodesOf(certificate);
  const name = nodes[0] ?? dnsNames[0] ?? addresses[0] ?? uris[0];
  if (name === undefined) return undefined;
  const only = nodes.length === 1 ? nodes[0] : undefined;
  return {
    user: userId(name),
    role: isServer ? "server" : "agent",
    ...(only !== undefined && !isServer && { node: nodeId(only) }),
  };
}

/** Returns why the holder may not connect as `node` and be found at `address` (HOST:PORT). */
export function nodeDefect(
  certificate: CertificateIdentity,
  { node, address }: { readonly node: string; readonly address: string },
): Fault | undefined {
  const nodes = nodesOf(certificate);
  const spelled = node.toLowerCase();
  if (!nodes.some((one) => one.toLowerCase() === spelled)) {
    const held = nodes.length === 0 ? "no node" : nodes.join(", ");
    const next = `issue a certificate with the DNS name ${node}, or start the agent with the --node-id that it names`;
    return fault("FORBIDDEN", `the certificate is refused for node ${node}: it names ${held}`, next);
  }
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
  if (coversHost(certificate, host)) return undefined;
  const next = `issue a certificate with the name ${host}, or advertise one that it names with --advertise-addr`;
  return fault("FORBIDDEN", `the certificate of node ${node} is refused for the address ${address}`, next);
}

/** A wildcard stands for one label, the first (RFC 6125, section 6.4.3). */
function coversHost({ dnsNames, addresses }: CertificateIdentity, host: string): boolean {
  const spelled = host.toLowerCase();
  if (addresses.includes(canonicalAddress(spelled))) return true;
  const dot = spelled.indexOf(".");
  const wildcard = dot > 0 ? `*${spelled.slice(dot)}` : spelled;
  return dnsNames.some((name) => name === spelled || name === wildcard);
}

/** Returns the one spelling in which addresses are compared; other texts come back as they are. */
export function canonicalAddress(text: string): string {
  if (!text.includes(":") || /[^0-9a-f:.]/i.test(text)) return text;
  const [head = "", tail] = text.toLowerCase().split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const missing = tail === undefined ? 0 : Math.max(0, 8 - groups(head).length - groups(tail).length);
  const all = [...groups(head), ...new Array<string>(missing).fill("0"), ...groups(tail ?? "")];
  return all.map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
