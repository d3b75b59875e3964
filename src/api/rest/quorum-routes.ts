/** Routes of the quorum: who belongs to it, who leads. A change answers with the quorum as it is then. */
import { t } from "elysia";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import {
  addMember,
  promoteMember,
  raftStatus,
  removeMember,
  transferLeadership,
} from "../../engine/server/operations/cluster.ts";
import { raftJson } from "./cluster-json.ts";
import { integer, jsonBody } from "./json-body.ts";
import { json, param, queryOf, type Route, type RouteContext } from "./route.ts";

const ADD_BODY = jsonBody(
  t.Object({
    node_id: integer("its quorum.node_id"),
    address: t.String({ description: "HOST:PORT of its quorum.raft_listen_address, as the other members reach it" }),
  }),
);
const TRANSFER_BODY = jsonBody(t.Object({ node_id: integer("whom to hand leadership to") }));

function memberOf(context: RouteContext): number {
  const text = param(context, "id");
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new LatticeError(fault("INVALID_SPEC", `"${text}" is not the number of a member`));
}

const answer = async ({ server, call }: RouteContext) => json(raftJson(await raftStatus(server, call)));

/** The quorum. */
export const QUORUM_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/raft/status",
    operation: "raft.read",
    summary: "Shows the quorum as this server sees it",
    handle: answer,
  },
  {
    method: "POST",
    path: "/api/v1/raft/members",
    operation: "raft.change",
    summary: "Lets a server join as a learner, which receives the log and does not count",
    body: ADD_BODY,
    async handle(context) {
      const { node_id: id, address } = await ADD_BODY.read(context.request);
      await addMember(context.server, context.call, { id, address });
      return answer(context);
    },
  },
  {
    method: "POST",
    path: "/api/v1/raft/members/:id/promote",
    operation: "raft.change",
    summary: "Lets a learner that is nearly caught up vote and count",
    async handle(context) {
      await promoteMember(context.server, context.call, memberOf(context));
      return answer(context);
    },
  },
  {
    method: "DELETE",
    path: "/api/v1/raft/members/:id",
    operation: "raft.change",
    summary: "Takes a member out for good",
    query: { members_index: "members_index of the status as it was seen: refused when the members have changed since" },
    async handle(context) {
      const query = queryOf(context);
      const seen = query.text("members_index") === "" ? {} : { seenAt: query.count("members_index") };
      await removeMember(context.server, context.call, { id: memberOf(context), ...seen });
      return answer(context);
    },
  },
  {
    method: "POST",
    path: "/api/v1/raft/transfer",
    operation: "raft.change",
    summary: "Hands leadership to another voter",
    body: TRANSFER_BODY,
    async handle(context) {
      const { node_id: id } = await TRANSFER_BODY.read(context.request);
      await transferLeadership(context.server, context.call, id);
      return answer(context);
    },
  },
];
