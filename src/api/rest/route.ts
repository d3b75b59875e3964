/** What a REST route is: a row of the table in routes.ts. It knows an operation and JSON, nothing of access or errors. */
import type { Operation } from "../../core/access/operations.ts";
import type { Call } from "../../engine/server/call.ts";
import type { Page } from "../../engine/server/operations/results.ts";
import type { Server } from "../../engine/server/server.ts";
import type { JsonBody } from "./json-body.ts";
import { Query } from "./query.ts";

/** What a handler works with. */
export interface RouteContext {
  readonly server: Server;
  readonly call: Call;
  readonly request: Request;
  readonly params: Readonly<Record<string, string>>;
  /** Aborts when the server shuts down. */
  readonly shutdown: AbortSignal;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With `:name` for each parameter. */
  readonly path: string;
  /** The row of the access table that decides. */
  readonly operation: Operation;
  readonly summary: string;
  readonly body?: JsonBody<unknown>;
  /** Query parameters by name, with their meaning. */
  readonly query?: Readonly<Record<string, string>>;
  /** Answers with a stream of server-sent events. */
  readonly isStream?: boolean;
  readonly handle: (context: RouteContext) => Promise<Response> | Response;
}

/** Anyone may ask; there is no call. */
export interface PublicRoute {
  readonly path: string;
  readonly summary: string;
  readonly handle: (server: Server) => Response | Promise<Response>;
}

/** The query parameters of every list. */
export const PAGE_QUERY = { limit: "items in a page, 100 when absent", cursor: "where the page begins" } as const;

/** Returns the parameter `name` of the path. */
export const param = (context: RouteContext, name: string): string => context.params[name] ?? "";

/** Returns the query of the request. */
export const queryOf = (context: RouteContext): Query => new Query(context.request.url);

const JSON_TYPE = "application/json";
const CREATED = 201;

/** Answers with a JSON value. */
export const json = (value: unknown): Response =>
  new Response(JSON.stringify(value), { headers: { "content-type": JSON_TYPE } });

/** Answers with what was created. */
export const created = (value: unknown): Response =>
  new Response(JSON.stringify(value), { status: CREATED, headers: { "content-type": JSON_TYPE } });

/** Answers with the items of a page as a list; the cursor of the next page is a header. */
export function page<T>(items: Page<T>, render: (item: T) => unknown): Response {
  const response = json(items.items.map(render));
  if (items.nextCursor !== undefined) response.headers.set("x-next-cursor", items.nextCursor);
  return response;
}
