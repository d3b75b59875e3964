/** Routes of allocations and workflows. */
import { t } from "elysia";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { cancelAllocation, updateWalltime } from "../../engine/server/operations/change-allocation.ts";
import { cancelDag, getDag, listDags } from "../../engine/server/operations/dags.ts";
import { explainAllocation, getAllocation, listAllocations } from "../../engine/server/operations/read-allocations.ts";
import type { AllocationFilter, Submitted } from "../../engine/server/operations/results.ts";
import { submit } from "../../engine/server/operations/submit-allocation.ts";
import { allocationJson, dagJson, explanationJson, listedAllocationJson, listedDagJson } from "./allocation-json.ts";
import { jsonBody } from "./json-body.ts";
import type { Query } from "./query.ts";
import { created, json, PAGE_QUERY, page, param, queryOf, type Route, type RouteContext } from "./route.ts";
import { DAG_BODY, dagSubmissionOf, SUBMIT_BODY, submissionOf, walltimeOf } from "./submit-body.ts";

const PATCH_BODY = jsonBody(
  t.Object({
    walltime_hours: t.Optional(t.Number()),
    walltime_seconds: t.Optional(t.Number({ description: "wins over walltime_hours" })),
    telemetry_mode: t.Optional(t.String({ description: "not active in this build" })),
  }),
);

const cancel = async (context: RouteContext) => {
  await cancelAllocation(context.server, context.call, param(context, "id"));
  return json({ success: true });
};

/** Submitting, reading and changing allocations. */
export const ALLOCATION_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/allocations",
    operation: "allocation.submit",
    summary: "Submits an allocation, or an array of them",
    body: SUBMIT_BODY,
    async handle({ server, call, request }) {
      const { submission, warnings } = submissionOf(await SUBMIT_BODY.read(request));
      return created(submittedJson(await submit(server, call, submission), warnings));
    },
  },
  {
    method: "GET",
    path: "/api/v1/allocations",
    operation: "allocation.read",
    summary: "Lists allocations, newest first",
    query: {
      tenant: "of this tenant",
      user: "of this user",
      vcluster: "of this vCluster",
      state: "in one of these states, comma-separated",
      name: "with this name",
      dag_id: "members of this workflow",
      task_group_id: "tasks of this task group",
      ...PAGE_QUERY,
    },
    async handle(context) {
      const query = queryOf(context);
      const asked = { filter: filterOf(query), page: query.page() };
      const found = await listAllocations(context.server, context.call, asked);
      return page(found, listedAllocationJson);
    },
  },
  {
    method: "GET",
    path: "/api/v1/allocations/:id",
    operation: "allocation.read",
    summary: "Shows an allocation or task group",
    handle: async (context) =>
      json(allocationJson(await getAllocation(context.server, context.call, param(context, "id")))),
  },
  {
    method: "PATCH",
    path: "/api/v1/allocations/:id",
    operation: "allocation.update",
    summary: "Changes the walltime of an allocation",
    body: PATCH_BODY,
    async handle(context) {
      const body = await PATCH_BODY.read(context.request);
      const walltimeMs = walltimeOf(body);
      if (body.telemetry_mode !== undefined) {
        throw new LatticeError(fault("NOT_SUPPORTED", "telemetry_mode is not active in this build"));
      }
      if (walltimeMs === undefined) {
        throw new LatticeError(fault("INVALID_SPEC", "nothing to change: give walltime_hours or walltime_seconds"));
      }
      const change = { ref: param(context, "id"), walltimeMs };
      return json(allocationJson(await updateWalltime(context.server, context.call, change)));
    },
  },
  {
    method: "DELETE",
    path: "/api/v1/allocations/:id",
    operation: "allocation.cancel",
    summary: "Cancels an allocation or task group",
    handle: cancel,
  },
  {
    method: "POST",
    path: "/api/v1/allocations/:id/cancel",
    operation: "allocation.cancel",
    summary: "Cancels an allocation or task group",
    handle: cancel,
  },
  {
    method: "GET",
    path: "/api/v1/allocations/:id/explain",
    operation: "allocation.read",
    summary: "Says why an allocation waits",
    handle: async (context) =>
      json(explanationJson(await explainAllocation(context.server, context.call, param(context, "id")))),
  },
];

/** Workflows. */
export const DAG_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/dags",
    operation: "allocation.submit",
    summary: "Submits a workflow",
    body: DAG_BODY,
    async handle({ server, call, request }) {
      const submission = dagSubmissionOf(await DAG_BODY.read(request));
      return created(submittedJson(await submit(server, call, submission), []));
    },
  },
  {
    method: "GET",
    path: "/api/v1/dags",
    operation: "dag.read",
    summary: "Lists workflows",
    query: { tenant: "of this tenant", user: "of this user", state: "in this state", ...PAGE_QUERY },
    async handle(context) {
      const query = queryOf(context);
      const asked = { filter: query.texts("tenant", "user", "state"), page: query.page() };
      return page(await listDags(context.server, context.call, asked), listedDagJson);
    },
  },
  {
    method: "GET",
    path: "/api/v1/dags/:id",
    operation: "dag.read",
    summary: "Shows a workflow with its members",
    handle: async (context) => json(dagJson(await getDag(context.server, context.call, param(context, "id")))),
  },
  {
    method: "POST",
    path: "/api/v1/dags/:id/cancel",
    operation: "dag.cancel",
    summary: "Cancels every member of a workflow that has not ended",
    handle: async (context) =>
      json({ success: true, cancelled_count: await cancelDag(context.server, context.call, param(context, "id")) }),
  },
];

function filterOf(query: Query): AllocationFilter {
  const {
    dag_id: dag,
    task_group_id: group,
    ...named
  } = query.texts("tenant", "user", "vcluster", "name", "dag_id", "task_group_id");
  const states = query.states();
  return {
    ...named,
    ...(states.length > 0 && { states }),
    ...(dag !== undefined && { dag }),
    ...(group !== undefined && { group }),
  };
}

/** The first of what was created stands beside the list: for an array, the array itself. */
function submittedJson(submitted: Submitted, warnings: readonly string[]) {
  const { taskGroup, dag } = submitted;
  const all = taskGroup ? [taskGroup, ...submitted.allocations] : submitted.allocations;
  return {
    allocation_id: all[0]?.id ?? null,
    allocation_ids: all.map((a) => a.id),
    short_id: all[0]?.shortId ?? null,
    short_ids: all.map((a) => a.shortId),
    ...(taskGroup && { task_group_id: taskGroup.id }),
    ...(dag !== undefined && { dag_id: dag }),
    warnings: warnings.length === 0 ? submitted.warnings : [...submitted.warnings, ...warnings],
  };
}
