/** What a listener puts requests into. It knows nothing else of the application. */
import type { CertificateIdentity } from "../../core/access/certificate.ts";
import type { NodeRequest, NodeResponse } from "./node-bridge.ts";

/** Where requests go. */
export interface HttpHandlers {
  /** Answers everything but native gRPC. */
  fetch(request: Request): Response | Promise<Response>;
  /** Answers RPCs of every protocol, native gRPC among them. */
  rpc(request: NodeRequest, response: NodeResponse): void;
  /** Is told, before a request is answered, of the client certificate that it came with, verified. */
  certify(request: object, certificate: CertificateIdentity): void;
  /** Is told, before a request is answered, of the network address that it came from. */
  locate(request: object, address: string): void;
  /** Whether a path, without its query, is an RPC's. */
  isRpc(path: string): boolean;
}

/** Where a listener binds. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What chooses the address, for the advice when it cannot be bound. */
  readonly setting?: string;
}

/** A bound port. */
export interface Listener {
  readonly port: number;
  /** Takes nothing new, lets what is in flight end, and cuts what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
}
