/** From the configuration to the servers' authority over certificates of agents, and the port where nodes join. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createJoinFaces } from "../api/connect/identity-service.ts";
import type { ServerConfig } from "../config/server-config.ts";
import { fault, LatticeError } from "../core/domain/errors.ts";
import type { Server } from "../engine/server/server.ts";
import { authorityProblems, openAuthority } from "../io/ca/x509-authority.ts";
import type { Listener } from "../io/http/handlers.ts";
import { listenRpc } from "../io/http/rpc-listener.ts";
import { systemClock } from "../io/system-clock.ts";
import type { CertificateKeeper } from "../io/tls/certificate-keeper.ts";
import type { CertificateAuthority } from "../ports/certificate-authority.ts";
import type { Logger } from "../ports/log.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Returns the authority; undefined without one. @throws INVALID_CONFIG when its files are of no use. */
export async function authorityOf({ identity, api }: ServerConfig): Promise<CertificateAuthority | undefined> {
  const { caCert, caKey, lifetimeMs } = identity;
  if (caCert === undefined || caKey === undefined) return undefined;
  const files = { cert: readFileSync(caCert, "utf8"), key: caKey.reveal(), lifetimeMs };
  const problems = [...authorityProblems(files, systemClock.now())];
  if (problems.length === 0 && !trusts(api.tls?.ca, files.cert)) {
    problems.push(`identity.ca_cert is not among the authorities in ${api.tls?.ca ?? "api.tls_ca"}: add it there`);
  }
  if (problems.length > 0) throw new LatticeError(fault("INVALID_CONFIG", problems.join("\n")));
  return openAuthority(files);
}

function trusts(bundle: string | undefined, authority: string): boolean {
  if (bundle === undefined) return false;
  const { fingerprint256 } = new X509Certificate(authority);
  const trusted = readFileSync(bundle, "utf8").match(CERTIFICATE) ?? [];
  return trusted.some((pem) => new X509Certificate(pem).fingerprint256 === fingerprint256);
}

/** Opens the port where nodes join, where one is configured. It asks nobody for a certificate. */
export async function listenForNodes(
  { identity }: ServerConfig,
  server: Server,
  { keeper, log }: { readonly keeper: CertificateKeeper | undefined; readonly log: Logger },
): Promise<Listener | undefined> {
  const { signingAddress } = identity;
  if (signingAddress === undefined || keeper === undefined) return undefined;
  const tls = { keeper, log, isForStrangers: true };
  const listener = await listenRpc(
    { ...signingAddress, setting: "identity.signing_address" },
    createJoinFaces(server),
    tls,
  );
  log.info("nodes join here", { port: listener.port });
  return listener;
}
