/** From the flags to who this node is: opens the steps of the identity cascade in their order. */
import { join } from "node:path";
import type { AgentOptions } from "../config/agent-flags.ts";
import { readCertificates } from "../config/certificate-files.ts";
import { LatticeError } from "../core/domain/errors.ts";
import { AgentIdentity, type IdentitySource } from "../io/identity/agent-identity.ts";
import { EnrolledSource } from "../io/identity/enrolled-source.ts";
import { SpireSource } from "../io/identity/spire-source.ts";
import { systemClock } from "../io/system-clock.ts";
import { CertificateKeeper } from "../io/tls/certificate-keeper.ts";
import type { Logger } from "../ports/log.ts";

/** Returns the identity, once each step has said what it has. @throws INVALID_CONFIG where bad bootstrap files are all there is. */
export async function openIdentity(options: AgentOptions, stateDir: string, log: Logger): Promise<AgentIdentity> {
  const { nodeId, endpoints, spireSocket: socket, token, tls } = options;
  const clock = systemClock;
  if (endpoints.every((endpoint) => endpoint.startsWith("http:"))) {
    log.info("the servers are dialled in clear text: no certificate is asked for, and none is looked for");
    return new AgentIdentity({ sources: [], ca: () => undefined, hasToken: token !== "", clock, log });
  }
  const bootstrap = bootstrapOf(options, log);
  const ca = () => bootstrap.keeper?.current.ca;
  const spire = new SpireSource({ socket, nodeId, clock, log });
  const { signingEndpoint, token: joinToken } = options.join;
  const folder = join(stateDir, "identity");
  const signed = new EnrolledSource({ nodeId, endpoints, signingEndpoint, joinToken, folder, ca, clock, log });
  await spire.start();
  if (spire.current === undefined) await signed.start();
  const hasOther = spire.current !== undefined || signed.current !== undefined || token !== "";
  if (bootstrap.problem !== undefined && !hasOther) throw bootstrap.problem;
  if (tls.cert === undefined) log.info("no --bootstrap-cert is given");
  const sources: [string, IdentitySource][] = [
    ["SPIRE", spire],
    ["the servers' authority", signed],
    ["bootstrap files", bootstrap],
  ];
  return new AgentIdentity({ sources, ca, hasToken: token !== "", clock, log });
}

/** Files that are of no use stop the start only where nothing else does. */
function bootstrapOf({ tls }: AgentOptions, log: Logger) {
  const keeping = () => {
    const read = () => readCertificates(tls, systemClock.now(), { ends: ["client"] });
    return new CertificateKeeper({ paths: Object.values(tls), read, clock: systemClock, log });
  };
  let keeper: CertificateKeeper | undefined;
  let problem: LatticeError | undefined;
  try {
    keeper = Object.keys(tls).length === 0 ? undefined : keeping();
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    problem = error;
    log.error("the bootstrap certificate is of no use", { reason: error.message });
  }
  return {
    keeper,
    problem,
    get current() {
      const { validUntil = 0 } = keeper?.current ?? {};
      return validUntil > systemClock.now() ? keeper?.current : undefined;
    },
    close: () => keeper?.close(),
  };
}
