/** The certificate at the other end of an accepted TLS connection, as the names in it. */
import type { PeerCertificate, TLSSocket } from "node:tls";
import type { CertificateIdentity } from "../../core/access/certificate.ts";
import { alternativeNames } from "./alternative-names.ts";

/** Returns who the other end has proven to be; undefined when it showed no certificate that was verified. */
export function peerCertificate(
  socket: Pick<TLSSocket, "authorized" | "getPeerCertificate">,
): CertificateIdentity | undefined {
  if (!socket.authorized) return undefined;
  const certificate: PeerCertificate | undefined = socket.getPeerCertificate();
  if (certificate?.raw === undefined) return undefined;
  const { CN } = certificate.subject;
  return {
    subject: typeof CN === "string" ? CN : "",
    ...alternativeNames(certificate.raw),
    validUntil: Date.parse(certificate.valid_to),
    der: certificate.raw,
  };
}

/** Returns a certificate in the words of a log line. */
export function describeCertificate(socket: Pick<TLSSocket, "getPeerCertificate">): string | undefined {
  const { subject, issuer, valid_to } = socket.getPeerCertificate?.() ?? {};
  if (subject === undefined) return undefined;
  return `${subject.CN ?? "(no name)"}, of ${issuer?.CN ?? "(no name)"}, valid until ${valid_to}`;
}
