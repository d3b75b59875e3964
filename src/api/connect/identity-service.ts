/** IdentityService, and JoinService for those who have no certificate yet: wire in, operation, wire out. */
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { ConnectError, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { millis } from "../../base/brand.ts";
import { createJoinToken, join, renewCertificate } from "../../engine/server/operations/agents/certificates.ts";
import type { Server } from "../../engine/server/server.ts";
import { type IdentityService, JoinService } from "../../gen/lattice/v1/identity_pb.ts";
import { timestampToProto } from "../../wire/timestamp.ts";
import { ADDRESS, callOf } from "../auth/connect-gate.ts";
import { connectErrorOf, faultOf } from "../errors.ts";

/** Returns the implementation. */
export const identityService = (server: Server): ServiceImpl<typeof IdentityService> => ({
  async createJoinToken({ nodeId: node, addresses, ttlSeconds }, context) {
    const wanted = { node, addresses, ttlMs: ttlSeconds * 1_000 };
    const { token, expiresAt } = await createJoinToken(server, callOf(context), wanted);
    return { token, expiresAt: timestampToProto(millis(expiresAt)) };
  },
  renewCertificate: ({ csr }, context) => renewCertificate(server, callOf(context), csr),
});

/** A request holds a token and a certificate request, no more. */
const JOIN_BYTES_MAX = 16_384;

/** Returns the handlers of the signing listener, which let in everybody, to this one RPC. */
export function createJoinFaces(server: Server) {
  const addresses = new WeakMap<object, string>();
  const service: ServiceImpl<typeof JoinService> = {
    async join(request, context) {
      try {
        return await join(server, request);
      } catch (error) {
        if (error instanceof ConnectError) throw error;
        const requestId = server.entropy.uuid();
        const failure = faultOf(error, requestId, server.log);
        const from = context.values.get(ADDRESS) ?? "";
        server.denials.onRefused({ operation: "agent.connect", from, requestId }, failure);
        throw connectErrorOf(failure);
      }
    },
  };
  const routes = (router: ConnectRouter): void => void router.service(JoinService, service);
  return {
    rpc: connectNodeAdapter({
      routes,
      readMaxBytes: JOIN_BYTES_MAX,
      contextValues: (request) => createContextValues().set(ADDRESS, addresses.get(request)),
    }),
    isRpc: (path: string): boolean => path === `/${JoinService.typeName}/${JoinService.method.join.name}`,
    fetch: (): Response => Response.json({ error: "this port signs first certificates of nodes, by gRPC" }),
    certify: (): void => {},
    locate: (request: object, address: string): void => void addresses.set(request, address),
  };
}
