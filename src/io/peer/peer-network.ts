/**
 * TCP between servers, with mutual TLS when there are certificates: who dials checks that
 * the certificate is good for the address dialled, who is called that it is good for the
 * address of the member that the caller says it is. So another holder of a certificate of
 * the same authority (an agent) cannot pass for a server.
 */
import type { Socket } from "node:net";
import { connect as connectTcp, createServer as createTcpServer } from "node:net";
import type { TLSSocket } from "node:tls";
import { checkServerIdentity, connect as connectTls, createServer as createTlsServer } from "node:tls";
import { fault, LatticeError } from "../../core/domain/errors.ts";

/** Certificates, PEM. */
export interface PeerTls {
  /** This server's, with its chain. */
  readonly cert: string;
  readonly key: string;
  /** Of the authority that signs those of all servers. */
  readonly ca: string;
}

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Begins to connect with `address` (HOST:PORT). @throws LatticeError INVALID_SPEC when it is none. */
export function dial(address: string, tls: PeerTls | undefined): Socket {
  const { host, port } = splitAddress(address);
  if (host === "" || !(port > 0 && port < 65_536)) {
    throw new LatticeError(fault("INVALID_SPEC", `${JSON.stringify(address)} is no address HOST:PORT`));
  }
  if (tls === undefined) return connectTcp({ host, port });
  return connectTls({
    host,
    port,
    ...tls,
    rejectUnauthorized: true,
    checkServerIdentity: (_, cert) => checkServerIdentity(host, cert),
  });
}

/** A port that is listened on. */
export interface PeerListener {
  /** Chosen by the system if port 0 was asked for. */
  readonly port: number;
  /** Shows other certificates to those who call from then on. */
  useCertificates(tls: PeerTls): void;
  /** Closes it and every connection that came to it. */
  close(): Promise<void>;
}

/** The time that a caller has to prove who it is. */
const TLS_MS = 5_000;

/** Calls `onSocket` with each connection from outside. @throws LatticeError INTERNAL when it cannot listen. */
export async function listen(
  at: ListenAddress,
  tls: PeerTls | undefined,
  onSocket: (socket: Socket) => void,
): Promise<PeerListener> {
  const secure = tls && createTlsServer(contextOf(tls), onSocket);
  const server = secure ?? createTcpServer(onSocket);
  const sockets = new Map<Socket, Timer | undefined>();
  server.on("connection", (socket: Socket) => {
    // The server's own handshakeTimeout does nothing here.
    sockets.set(socket, tls && setTimeout(() => socket.destroy(), TLS_MS));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(sockets.get(socket));
      sockets.delete(socket);
    });
  });
  server.on("secureConnection", (socket: Socket) => clearTimeout(sockets.get(socket)));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(at, error)));
    server.listen({ host: at.host, port: at.port }, resolve);
  });
  server.on("error", () => undefined);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : at.port,
    useCertificates: (fresh) => secure?.setSecureContext(contextOf(fresh)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets.keys()) socket.destroy();
      }),
  };
}

const contextOf = (tls: PeerTls) => ({
  ...tls,
  minVersion: "TLSv1.2" as const,
  requestCert: true,
  rejectUnauthorized: true,
});

/** Returns why the certificate at the other end of an accepted socket is not that of the member at `address`. */
export function certificateDefect(socket: Socket, address: string | undefined): string | undefined {
  if (address === undefined) return "this server does not know its address, so its certificate proves nothing";
  const { host } = splitAddress(address);
  const certificate = (socket as TLSSocket).getPeerCertificate();
  return checkServerIdentity(host, certificate) === undefined
    ? undefined
    : `its certificate is not for ${host}: issue one with that name`;
}

/** Returns the parts of HOST:PORT; an IPv6 host is in brackets. */
export function splitAddress(address: string): ListenAddress {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(address.slice(colon + 1)) };
}

const LISTEN_CAUSES: Readonly<Record<string, readonly [what: string, next: string]>> = {
  EADDRINUSE: ["is in use by another process", "end that process, or set another quorum.raft_listen_address"],
  EACCES: ["may not be bound by this user", "set quorum.raft_listen_address to a port above 1023"],
  EADDRNOTAVAIL: ["is no address of this machine", "set quorum.raft_listen_address to one that it has"],
};

function listenError({ host, port }: ListenAddress, cause: NodeJS.ErrnoException): LatticeError {
  const [what, next] = LISTEN_CAUSES[cause.code ?? ""] ?? [`cannot be bound: ${cause.message}`, undefined];
  const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return new LatticeError(fault("INTERNAL", `${where}, where the other servers dial, ${what}`, next), { cause });
}
