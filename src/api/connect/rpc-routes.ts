/** The services of the contract, registered for every protocol: gRPC, gRPC-Web and Connect. */
import type { ConnectRouter, ConnectRouterOptions } from "@connectrpc/connect";
import { LIMITS } from "../../core/domain/limits.ts";
import type { Server } from "../../engine/server/server.ts";
import { AdminService } from "../../gen/lattice/v1/admin_pb.ts";
import { AgentService } from "../../gen/lattice/v1/agent_pb.ts";
import { AllocationService } from "../../gen/lattice/v1/allocations_pb.ts";
import { IdentityService } from "../../gen/lattice/v1/identity_pb.ts";
import { NodeService } from "../../gen/lattice/v1/nodes_pb.ts";
import type { Entrance } from "../auth/connect-gate.ts";
import { createErrorInterceptor, createGate } from "../auth/connect-gate.ts";
import { adminService } from "./admin-service.ts";
import { agentService } from "./agent-service.ts";
import { allocationService } from "./allocation-service.ts";
import { identityService } from "./identity-service.ts";
import { withMalformedMessages } from "./malformed-message.ts";
import { nodeService } from "./node-service.ts";

/** Returns the function that registers all services with a router. */
export const rpcRoutes = (server: Server) => (router: ConnectRouter) => {
  router.service(AllocationService, allocationService(server));
  router.service(NodeService, nodeService(server));
  router.service(AdminService, adminService(server));
  router.service(AgentService, agentService(server));
  router.service(IdentityService, identityService(server));
  for (const [i, handler] of router.handlers.entries()) router.handlers[i] = withMalformedMessages(handler);
};

/** Returns what every router is made with: who may in, how errors leave, how large a message may be. */
export const rpcOptions = (server: Server, entrance: Entrance, shutdownSignal: AbortSignal): ConnectRouterOptions => ({
  requestGate: createGate(server, entrance),
  interceptors: [createErrorInterceptor(server, shutdownSignal)],
  readMaxBytes: LIMITS.requestBytesMax,
  shutdownSignal,
});
