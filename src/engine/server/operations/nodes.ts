/** Nodes: reading them, and what operators do to them. */
import { present } from "../../../base/assert.ts";
import { millis } from "../../../base/brand.ts";
import { compareText } from "../../../base/compare.ts";
import type { Operation } from "../../../core/access/operations.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { NodeId, UserId } from "../../../core/domain/ids.ts";
import { nodeId } from "../../../core/domain/ids.ts";
import type { Node } from "../../../core/domain/node.ts";
import type { CommandBody, Output } from "../../../core/state/commands.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand } from "./access.ts";
import { pageByText } from "./paging.ts";
import { propose } from "./propose.ts";
import type { NodeDetail, Page, PageRequest } from "./results.ts";

/** Which nodes to list; absent fields match all. */
export interface NodeFilter {
  readonly state?: string;
  readonly group?: string;
  /** Nodes on which the tenant holds a claim. */
  readonly tenant?: string;
  /** Nodes that are dedicated to the vCluster. */
  readonly vcluster?: string;
}

/** Returns nodes by id. */
export async function listNodes(
  server: Server,
  call: Call,
  { filter, page }: { readonly filter: NodeFilter; readonly page: PageRequest },
): Promise<Page<NodeDetail>> {
  demand(call, "node.read");
  const nodes = [...server.replica.state.tables.nodes.values()]
    .filter((node) => matches(server, node, filter))
    .sort((a, b) => compareText(a.id, b.id));
  const { items, nextCursor } = pageByText(nodes, (node) => node.id, page);
  const details = await nodeDetails(server, items);
  return nextCursor === undefined ? { items: details } : { items: details, nextCursor };
}

/** Returns one node. */
export async function getNode(server: Server, call: Call, id: string): Promise<NodeDetail> {
  demand(call, "node.read", { node: nodeId(id) });
  const [detail] = await nodeDetails(server, [findNode(server, id)]);
  return present(detail, `no detail of node ${id}`);
}

/** Lets a node finish what it runs and gives it nothing new; returns how much still runs. */
export async function drainNode(
  server: Server,
  call: Call,
  { id, reason }: { readonly id: string; readonly reason: string },
): Promise<number> {
  demand(call, "node.drain", { node: nodeId(id) });
  const node = findNode(server, id).id;
  const output = await change(server, call, {
    operation: "node.drain",
    body: { kind: "drain-node", node, reason: reason || "drained by an operator" },
  });
  return output.kind === "drained" ? output.activeAllocations : 0;
}

/** Gives a drained node back to the scheduler. */
export async function undrainNode(server: Server, call: Call, id: string): Promise<void> {
  demand(call, "node.undrain", { node: nodeId(id) });
  const body = { kind: "undrain-node", node: findNode(server, id).id } as const;
  await change(server, call, { operation: "node.undrain", body });
}

/** Takes a node out until it is enabled. */
export async function disableNode(
  server: Server,
  call: Call,
  { id, reason }: { readonly id: string; readonly reason: string },
): Promise<void> {
  demand(call, "node.disable", { node: nodeId(id) });
  const node = findNode(server, id).id;
  const body = { kind: "disable-node", node, reason: reason || "disabled by an operator" } as const;
  await change(server, call, { operation: "node.disable", body });
}

/** Undoes `disableNode`. */
export async function enableNode(server: Server, call: Call, id: string): Promise<void> {
  demand(call, "node.enable", { node: nodeId(id) });
  const body = { kind: "enable-node", node: findNode(server, id).id } as const;
  await change(server, call, { operation: "node.enable", body });
}

/** Keeps an idle node for the caller's sensitive work. */
export async function claimNode(server: Server, call: Call, id: string): Promise<NodeDetail> {
  demand(call, "node.claim", { node: nodeId(id) });
  const { tenant } = call.principal;
  const node = findNode(server, id).id;
  const body = { kind: "claim-node", node, ...(tenant !== undefined && { tenant }) } as const;
  await change(server, call, { operation: "node.claim", body });
  return getNode(server, call, id);
}

/** Gives a claimed node back; it is wiped before it takes other work. */
export async function releaseNode(server: Server, call: Call, id: string): Promise<NodeDetail> {
  const { id: node, sensitiveClaim } = findNode(server, id);
  demand(call, "node.release", { node, ...(sensitiveClaim && { owner: sensitiveClaim.user }) });
  await change(server, call, { operation: "node.release", body: { kind: "release-node", node } });
  return getNode(server, call, id);
}

interface NodeChange {
  readonly operation: Operation;
  readonly body: Extract<CommandBody, { readonly node: NodeId; readonly kind: `${string}-node` }>;
}

function change(server: Server, call: Call, { operation, body }: NodeChange): Promise<Output> {
  const act = { operation, target: { node: body.node } };
  return propose(server, call, { operation: body.kind, request: body, body, act });
}

function findNode(server: Server, id: string): Node {
  const node = server.replica.state.tables.nodes.get(nodeId(id));
  if (!node) throw new LatticeError(fault("NODE_NOT_FOUND", `there is no node ${id}`));
  return node;
}

async function nodeDetails(server: Server, nodes: readonly Node[]): Promise<readonly NodeDetail[]> {
  const { indexes } = server.replica.state;
  const silences = await server.agents.health.silences(nodes.map((node) => node.id));
  return nodes.map((node, i) => {
    const claims = [...(indexes.nodeLoad.get(node.id)?.claims ?? [])];
    const silence = silences[i];
    const claimedBy = claimantOf(server, node);
    return {
      node,
      claims: claims.map(([allocation, claim]) => ({ allocation, claim })),
      ...(claimedBy !== undefined && { claimedBy }),
      ...(silence !== undefined && { lastHeartbeat: millis(Math.round(server.clock.now() - silence)) }),
    };
  });
}

function claimantOf({ replica }: Server, { id, sensitiveClaim }: Node): UserId | undefined {
  if (sensitiveClaim) return sensitiveClaim.user;
  const { tables, indexes } = replica.state;
  const holders = [...(indexes.nodeLoad.get(id)?.claims.keys() ?? [])].map((one) => tables.allocations.get(one));
  return holders.find((a) => a?.spec.isSensitive)?.user;
}

function matches(server: Server, node: Node, filter: NodeFilter): boolean {
  return (
    (!filter.state || node.state === filter.state) &&
    (!filter.group || String(node.capacity.group) === filter.group) &&
    (!filter.vcluster || server.replica.state.indexes.dedicated.get(node.id) === filter.vcluster) &&
    (!filter.tenant || isHeldBy(server, node.id, filter.tenant))
  );
}

function isHeldBy(server: Server, node: NodeId, tenant: string): boolean {
  const { tables, indexes } = server.replica.state;
  const holders = [...(indexes.nodeLoad.get(node)?.claims.keys() ?? [])];
  return holders.some((id) => tables.allocations.get(id)?.spec.tenant === tenant);
}
