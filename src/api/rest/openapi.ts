/** The API document, made from the table of routes. docs/reference/openapi.json is its committed copy. */
import { PROBLEM_JSON } from "../errors.ts";
import type { Route } from "./route.ts";
import { publicRoutes, ROUTES } from "./routes.ts";

const INFO = {
  title: "Lattice REST API",
  version: "v1",
  description:
    "Errors are application/problem+json with code, error, next and request_id. Lists are arrays; the cursor of the next page is in the header x-next-cursor. A mutating call may carry an Idempotency-Key. X-Lattice-Consistency: stale takes what the server has, although others may know more. An answer 503 says in Retry-After when to come back. A server without authentication takes the name of the caller from the header x-lattice-user; any other server takes it from the token alone.",
};

/** Returns the OpenAPI document of all routes. */
export function apiDocument() {
  const exposed = publicRoutes({ issuer: "", clientId: "" });
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of [...exposed.map((r) => ({ ...r, method: "GET" as const, tag: "public" })), ...ROUTES]) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: INFO,
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
      schemas: { Problem: PROBLEM_SCHEMA },
    },
  };
}

type Described = Pick<Route, "summary" | "path" | "body" | "query" | "isStream"> & {
  readonly tag: string;
  readonly operation?: string;
};

function operation(route: Described) {
  const isPublic = route.operation === undefined;
  return {
    summary: route.summary,
    tags: [route.tag],
    ...(!isPublic && { security: [{ bearer: [] }], description: `Access: ${route.operation}` }),
    parameters: [...pathParameters(route.path), ...queryParameters(route.query ?? {})],
    ...(route.body && {
      requestBody: { required: true, content: { "application/json": { schema: route.body.schema } } },
    }),
    responses: {
      "2XX": { description: route.isStream ? "server-sent events" : "done" },
      default: {
        description: "what went wrong",
        content: { [PROBLEM_JSON]: { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
  };
}

const PROBLEM_SCHEMA = {
  type: "object",
  required: ["type", "title", "status", "error", "code", "next", "request_id"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    error: { type: "string", description: "what happened" },
    code: { type: "string", description: "the reason; programs branch on it" },
    next: { type: "string", description: "what to do" },
    request_id: { type: "string" },
  },
};

const pathParameters = (path: string) =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name: name ?? "",
    in: "path",
    required: true,
    schema: { type: "string" },
  }));

const queryParameters = (query: Readonly<Record<string, string>>) =>
  Object.entries(query).map(([name, description]) => ({
    name,
    in: "query",
    description,
    schema: { type: "string" },
  }));
