/**
 * Certificates of agents: join tokens, first certificates, renewals. A token is used once: the
 * key that it was used for is remembered in the replicated state for as long as any token may
 * live, so that a repeat with the same key is answered again, by any server, and another is not.
 *
 * Invariant INV-A4: of the keys that requests show with one join token, one is certified.
 */
import { isOwnAgent, nodesOf } from "../../../../core/access/certificate.ts";
import { fault, LatticeError } from "../../../../core/domain/errors.ts";
import { nodeId } from "../../../../core/domain/ids.ts";
import { LIMITS } from "../../../../core/domain/limits.ts";
import type { CertificateAuthority, SignedCertificate } from "../../../../ports/certificate-authority.ts";
import type { Call } from "../../call.ts";
import { SYSTEM } from "../../replica.ts";
import type { Server } from "../../server.ts";
import { demand } from "../access.ts";

/** A node that shall join. */
export interface JoinRequest {
  readonly node: string;
  /** Host names and IP addresses besides the node's id. */
  readonly addresses: readonly string[];
  /** 0 takes an hour. */
  readonly ttlMs: number;
}

const HOUR_MS = 3_600_000;
/** Half the time that the use of a token is remembered. */
const TTL_MAX_MS = LIMITS.idempotencyKeepMs / 2;
const ADDRESSES_MAX = 16;
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const IP = /^[0-9a-fA-F:.]{2,45}$/;

/** Makes a join token. @throws FORBIDDEN, INVALID_SPEC, NOT_SUPPORTED. */
export async function createJoinToken(
  server: Server,
  call: Call,
  { node, addresses, ttlMs }: JoinRequest,
): Promise<{ readonly token: string; readonly expiresAt: number }> {
  demand(call, "node.admit");
  const authority = authorityOf(server);
  const wrong = [node, ...addresses].find((name) => !NAME.test(name) && !IP.test(name));
  if (wrong !== undefined || !NAME.test(node)) throw invalid(`${JSON.stringify(wrong ?? node)} is no host name`);
  if (addresses.length > ADDRESSES_MAX) throw invalid(`${addresses.length} addresses are given, of ${ADDRESSES_MAX}`);
  if (ttlMs > TTL_MAX_MS) throw invalid(`a join token lives ${TTL_MAX_MS / HOUR_MS} hours at most`);
  await server.auditor.recordFirst(call, { operation: "node.admit", target: { node } });
  const expiresAt = server.clock.now() + (ttlMs || HOUR_MS);
  const token = await authority.issueToken({ id: server.entropy.uuid(), node, addresses, expiresAt });
  return { token, expiresAt };
}

/** Signs a node's first certificate. @throws UNAUTHENTICATED, TOKEN_EXPIRED, FORBIDDEN, INVALID_SPEC. */
export async function join(server: Server, asked: { readonly token: string; readonly csr: Uint8Array }) {
  const authority = authorityOf(server);
  const at = server.clock.now();
  const { id, node, addresses } = await authority.readToken(asked.token, at);
  const fingerprint = await authority.keyOf(asked.csr);
  await useOnce(server, { id, node, fingerprint });
  await server.auditor.record({ action: "lattice.node.join", actor: { user: node, node }, target: { node } });
  server.log.info("a node joins: its certificate is signed", { node, addresses });
  return authority.sign({ csr: asked.csr, node, addresses, at });
}

/** Signs a fresh certificate for who shows one of the same authority. @throws FORBIDDEN, INVALID_SPEC. */
export async function renewCertificate(server: Server, call: Call, csr: Uint8Array): Promise<SignedCertificate> {
  const { certificate } = call;
  const [node] = certificate === undefined ? [] : nodesOf(certificate);
  demand(call, "agent.connect", { ...(node !== undefined && { node: nodeId(node) }) });
  const authority = authorityOf(server);
  const isOurs = certificate?.der !== undefined && isOwnAgent(certificate) && authority.hasSigned(certificate.der);
  if (certificate === undefined || node === undefined || !isOurs) {
    const next = "join with a token: lattice admin join-token NODE";
    throw new LatticeError(fault("FORBIDDEN", "only a certificate of the servers' authority is renewed", next));
  }
  const addresses = [...certificate.dnsNames, ...certificate.addresses];
  return authority.sign({ csr, node, addresses, at: server.clock.now() });
}

interface TokenUse {
  readonly id: string;
  readonly node: string;
  readonly fingerprint: string;
}

async function useOnce(server: Server, { id, node, fingerprint }: TokenUse): Promise<void> {
  const idempotency = { key: `join-token|${id}`, fingerprint };
  await server.replica.propose({ kind: "record-audit" }, SYSTEM, { idempotency }).catch((error: unknown) => {
    const isUsed = error instanceof LatticeError && error.fault.reason === "IDEMPOTENCY_CONFLICT";
    if (!isUsed) throw error;
    const next = "make another: lattice admin join-token NODE; if nobody of yours has used it, look who did";
    throw new LatticeError(fault("FORBIDDEN", `the join token has been used with another key, for node ${node}`, next));
  });
}

function authorityOf({ authority }: Server): CertificateAuthority {
  if (authority !== undefined) return authority;
  const next = "set identity.ca_cert and identity.ca_key on the servers";
  throw new LatticeError(fault("NOT_SUPPORTED", "these servers have no authority to sign certificates with", next));
}

const invalid = (message: string) => new LatticeError(fault("INVALID_SPEC", message));
