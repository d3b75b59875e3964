/** Workflows: reading them and cancelling them whole. */

import { millis } from "../../../base/brand.ts";
import { compareText } from "../../../base/compare.ts";
import type { Resource } from "../../../core/access/authorize.ts";
import type { Allocation } from "../../../core/domain/allocation.ts";
import type { Dag } from "../../../core/domain/dag.ts";
import { dagState } from "../../../core/domain/dag.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { dagId } from "../../../core/domain/ids.ts";
import { isTerminal } from "../../../core/domain/lifecycle.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { demand, may, resourceOf } from "./access.ts";
import { allocationDetail } from "./details.ts";
import { findById } from "./lookup.ts";
import { pageByText } from "./paging.ts";
import { propose } from "./propose.ts";
import type { DagDetail, Page, PageRequest } from "./results.ts";

/** Which workflows to list; absent fields match all. */
export interface DagFilter {
  readonly tenant?: string;
  readonly user?: string;
  readonly state?: string;
}

/** Returns a workflow with its members. */
export async function getDag(server: Server, call: Call, id: string): Promise<DagDetail> {
  const dag = findDag(server, id);
  demand(call, "dag.read", resourceOfDag(server, dag));
  return dagDetail(server, call, dag);
}

/** Returns workflows in memory, by id. */
export async function listDags(
  server: Server,
  call: Call,
  { filter, page }: { readonly filter: DagFilter; readonly page: PageRequest },
): Promise<Page<DagDetail>> {
  demand(call, "dag.read");
  const dags = [...server.replica.state.tables.dags.values()]
    .filter((dag) => (!filter.tenant || dag.tenant === filter.tenant) && (!filter.user || dag.user === filter.user))
    .filter((dag) => may(call, "dag.read", resourceOfDag(server, dag)))
    .map((dag) => dagDetail(server, call, dag))
    .filter((detail) => !filter.state || detail.state === filter.state)
    .sort((a, b) => compareText(a.dag.id, b.dag.id));
  return pageByText(dags, (detail) => detail.dag.id, page);
}

/** Cancels every member that has not ended; returns how many. */
export async function cancelDag(server: Server, call: Call, id: string): Promise<number> {
  const dag = findDag(server, id);
  const resource = resourceOfDag(server, dag);
  demand(call, "dag.cancel", resource);
  if (!server.replica.state.tables.dags.has(dag.id)) return 0;
  const body = { kind: "cancel-dag", dag: dag.id } as const;
  const act = {
    operation: "dag.cancel",
    target: { tenant: dag.tenant, name: dag.id },
    resource,
  } as const;
  const output = await propose(server, call, { operation: "cancel-dag", request: dag.id, body, act });
  return output.kind === "cancelled" ? output.count : 0;
}

function findDag(server: Server, id: string): Dag {
  const live = server.replica.state.tables.dags.get(dagId(id));
  const archived = live ? undefined : server.replica.mirror.find("dags", id);
  const dag: Dag | undefined = live ?? (archived && JSON.parse(archived));
  if (!dag) throw new LatticeError(fault("DAG_NOT_FOUND", `there is no workflow ${id}`));
  return dag;
}

/** A workflow is as sensitive as the most sensitive of its members. */
const resourceOfDag = (server: Server, dag: Dag): Resource => ({
  owner: dag.user,
  tenant: dag.tenant,
  isSensitive: dag.members.some((id) => findById(server, id)?.record.spec.isSensitive === true),
});

const membersOf = (server: Server, { members }: Dag): readonly Allocation[] =>
  members.flatMap((id) => {
    const found = findById(server, id);
    return found?.kind === "allocation" ? [found.record] : [];
  });

/** Members that the caller may not see count for the state and are left out. */
function dagDetail(server: Server, call: Call, dag: Dag): DagDetail {
  const records = membersOf(server, dag);
  const visible = records.filter((a) => may(call, "allocation.read", resourceOf(a)));
  const members = visible.map((a) => allocationDetail(server, a));
  const state = dagState(records.map((a) => a.state));
  const isOver = records.every((a) => isTerminal(a.state));
  const endedAt = millis(Math.max(0, ...records.map((a) => a.endedAt ?? 0)));
  return { dag, state, members, ...(isOver && { endedAt }) };
}
