/**
 * The way in of a listener on node's servers: TCP, or TLS that asks for the caller's
 * certificate where there are authorities for it. It bounds what strangers can hold open:
 * connections in all, those of one address, and the time that a handshake takes.
 */
import type { Server, Socket } from "node:net";
import { createServer as createTcpServer } from "node:net";
import type { TLSSocket } from "node:tls";
import { createServer as createTlsServer } from "node:tls";
import type { Logger } from "../../ports/log.ts";
import type { CertificateKeeper, Certificates } from "../tls/certificate-keeper.ts";
import { describeCertificate } from "../tls/peer-certificate.ts";

/** How a door with TLS is made. */
export interface DoorTls {
  readonly keeper: CertificateKeeper;
  /** Asks nobody for a certificate, even where there are authorities for it. */
  readonly isForStrangers?: boolean;
  readonly log: Logger;
}

/** The most that strangers may hold. */
export const DOOR_LIMITS = {
  connectionsMax: 20_000,
  connectionsOfOneAddressMax: 4_000,
  handshakeMs: 10_000,
} as const;

/** One line of the log a second tells of refusals, with how many there were. */
const REFUSAL_LOG_MS = 1_000;

/** Returns a server, not listening yet, that calls `onSocket` with each connection that is through. */
export function createDoor(tls: DoorTls | undefined, onSocket: (socket: Socket) => void): Server {
  if (tls === undefined) return counted(createTcpServer(onSocket), () => {});
  const context = ({ ca, ...own }: Certificates) =>
    contextOf(tls.isForStrangers || ca === undefined ? own : { ...own, ca });
  const server = createTlsServer({ ...context(tls.keeper.current), ALPNProtocols: ["h2", "http/1.1"] }, onSocket);
  tls.keeper.onChange((fresh) => server.setSecureContext(context(fresh)));
  const handshakes = new Map<string, Timer>();
  const settled = (socket: Socket): void => {
    clearTimeout(handshakes.get(placeOf(socket)));
    handshakes.delete(placeOf(socket));
  };
  server.on("secureConnection", settled);
  const tell = refusalTeller(tls.log);
  server.on("tlsClientError", (error: Error & { readonly code?: string }, socket: TLSSocket) => {
    tell({ from: socket.remoteAddress, reason: reasonOf(error), certificate: describeCertificate(socket) });
    socket.destroy();
  });
  return counted(server, (socket) => {
    // The server's own handshakeTimeout does nothing here.
    handshakes.set(
      placeOf(socket),
      setTimeout(() => socket.destroy(), DOOR_LIMITS.handshakeMs),
    );
    socket.once("close", () => settled(socket));
  });
}

const contextOf = ({ cert, key, ca }: Certificates) => ({
  minVersion: "TLSv1.2" as const,
  ...(cert !== undefined && { cert }),
  ...(key !== undefined && { key }),
  ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: true }),
});

const placeOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/** Hangs up on what is too many, at once: nothing has been read of it. */
function counted(server: Server, onRaw: (socket: Socket) => void): Server {
  const ofAddress = new Map<string, number>();
  let all = 0;
  server.on("connection", (socket: Socket) => {
    const from = socket.remoteAddress ?? "";
    const held = ofAddress.get(from) ?? 0;
    if (all >= DOOR_LIMITS.connectionsMax || held >= DOOR_LIMITS.connectionsOfOneAddressMax) {
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    all += 1;
    ofAddress.set(from, held + 1);
    socket.once("close", () => {
      all -= 1;
      const left = (ofAddress.get(from) ?? 1) - 1;
      if (left === 0) ofAddress.delete(from);
      else ofAddress.set(from, left);
    });
    onRaw(socket);
  });
  return server;
}

const REASONS: Readonly<Record<string, string>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "it shows no certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is of an authority that is not among those in api.tls_ca",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  INVALID_PURPOSE: "its certificate is not for clients (extendedKeyUsage clientAuth)",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "it speaks no version of TLS from 1.2 on",
  ERR_SSL_HTTP_REQUEST: "it speaks plain HTTP",
  ECONNRESET: "it hung up during the handshake: perhaps it does not trust this server's certificate",
};

const reasonOf = ({ code = "", message }: Error & { readonly code?: string }): string => REASONS[code] ?? message;

function refusalTeller(log: Logger) {
  let toldAt = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return (fields: {
    readonly from: string | undefined;
    readonly reason: string;
    readonly certificate: string | undefined;
  }) => {
    if (performance.now() - toldAt < REFUSAL_LOG_MS) {
      unsaid += 1;
      return;
    }
    log.warn("a connection is refused", { ...fields, ...(unsaid > 0 && { othersSince: unsaid }) });
    toldAt = performance.now();
    unsaid = 0;
  };
}
