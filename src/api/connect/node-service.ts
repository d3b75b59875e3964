/** NodeService: each RPC is wire in, operation, wire out. */
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { nodeId } from "../../core/domain/ids.ts";
import { demand } from "../../engine/server/operations/access.ts";
import { readiness } from "../../engine/server/operations/cluster.ts";
import {
  claimNode,
  disableNode,
  drainNode,
  enableNode,
  getNode,
  listNodes,
  releaseNode,
  undrainNode,
} from "../../engine/server/operations/nodes.ts";
import type { Server } from "../../engine/server/server.ts";
import type { NodeService } from "../../gen/lattice/v1/nodes_pb.ts";
import { nodeStatusToProto } from "../../wire/node.ts";
import { callOf } from "../auth/connect-gate.ts";

/** Returns the implementation. */
export function nodeService(server: Server): ServiceImpl<typeof NodeService> {
  return { ...nodes(server), ...agents(), ...health(server) };
}

const nodes = (server: Server) =>
  ({
    async listNodes(request, context) {
      const { items, nextCursor = "" } = await listNodes(server, callOf(context), { filter: request, page: request });
      return { nodes: items.map(nodeStatusToProto), nextCursor };
    },
    async getNode({ nodeId: id }, context) {
      return nodeStatusToProto(await getNode(server, callOf(context), id));
    },
    async drainNode({ nodeId: id, reason }, context) {
      return { success: true, activeAllocations: await drainNode(server, callOf(context), { id, reason }) };
    },
    async undrainNode({ nodeId: id }, context) {
      await undrainNode(server, callOf(context), id);
      return { success: true };
    },
    async disableNode({ nodeId: id, reason }, context) {
      await disableNode(server, callOf(context), { id, reason });
      return { success: true };
    },
    async claimNode({ nodeId: id }, context) {
      return nodeStatusToProto(await claimNode(server, callOf(context), id));
    },
    async releaseNode({ nodeId: id }, context) {
      return nodeStatusToProto(await releaseNode(server, callOf(context), id));
    },
    async enableNode({ nodeId: id }, context) {
      await enableNode(server, callOf(context), id);
      return { success: true };
    },
  }) satisfies Partial<ServiceImpl<typeof NodeService>>;

/** These belong to agents that are called by their servers. Here the agent calls: AgentService.Connect. */
const agents = () =>
  ({
    registerNode: ({ nodeId: id }, context) => refuseRegistration(context, id),
    updateNodeAddress: ({ nodeId: id }, context) => refuseRegistration(context, id),
    heartbeat: ({ nodeId: id }, context) => refuseRegistration(context, id),
  }) satisfies Partial<ServiceImpl<typeof NodeService>>;

async function refuseRegistration(context: HandlerContext, id: string): Promise<never> {
  demand(callOf(context), "agent.connect", { node: nodeId(id) });
  const next = "run lattice-agent on the node: it registers itself over AgentService.Connect";
  throw new LatticeError(fault("NOT_SUPPORTED", "nodes are not registered one call at a time", next));
}

function health(server: Server) {
  const startedAt = server.clock.now();
  return {
    health: async (_, context) => {
      demand(callOf(context), "node.read");
      const { isReady, detail } = await readiness(server);
      return {
        status: isReady ? "healthy" : detail,
        version: server.version,
        uptimeSecs: BigInt(Math.floor((server.clock.now() - startedAt) / 1000)),
      };
    },
  } satisfies Partial<ServiceImpl<typeof NodeService>>;
}
