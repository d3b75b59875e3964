/** From the configuration to the certificates of this server, kept as fresh as their files. */
import type { CertificatePurpose } from "../config/certificate-files.ts";
import { readCertificates } from "../config/certificate-files.ts";
import type { ServerConfig } from "../config/server-config.ts";
import type { PeerTls } from "../io/peer/peer-network.ts";
import { systemClock } from "../io/system-clock.ts";
import type { Certificates } from "../io/tls/certificate-keeper.ts";
import { CertificateKeeper } from "../io/tls/certificate-keeper.ts";
import type { Logger } from "../ports/log.ts";

/** Returns the certificates; undefined in the clear. @throws INVALID_CONFIG when the files are of no use. */
export function certificatesOf({ api: { tls }, quorum }: ServerConfig, log: Logger): CertificateKeeper | undefined {
  if (tls === undefined) return undefined;
  const purpose = purposeOf(tls.ca !== undefined && quorum.raftListenAddress !== undefined);
  const keeper = new CertificateKeeper({
    paths: Object.values(tls),
    read: () => readCertificates(tls, systemClock.now(), purpose),
    clock: systemClock,
    log,
  });
  process.on("SIGHUP", () => keeper.reload());
  return keeper;
}

/** Members show each other the same certificate, at both ends. */
const purposeOf = (isMember: boolean): CertificatePurpose =>
  isMember ? { ends: ["server", "client"], isOfOwnAuthority: true } : { ends: ["server"] };

/** Returns what members prove to each other who they are with; undefined where nothing can be proven. */
export function peerTlsOf(certificates: Certificates | undefined): PeerTls | undefined {
  const { cert, key, ca } = certificates ?? {};
  return cert === undefined || key === undefined || ca === undefined ? undefined : { cert, key, ca };
}
