/** What the API document says of each route. docs/reference/openapi.json is its committed copy. */
import { PROBLEM_JSON } from "../errors.ts";
import type { Route } from "./route.ts";

/** The head of the document. */
export const documentation = (version: string) => ({
  info: {
    title: "Lattice REST API",
    version,
    description:
      "Errors are application/problem+json with code, error, next and request_id. Lists are arrays; the cursor of the next page is in the header x-next-cursor. A mutating call may carry an Idempotency-Key.",
  },
  components: { securitySchemes: { bearer: { type: "http" as const, scheme: "bearer", bearerFormat: "JWT" } } },
});

type Described = Pick<Route, "summary" | "path" | "body" | "query" | "isStream"> & {
  readonly tag: string;
  readonly operation?: string;
};

/** Returns the OpenAPI operation of a route. */
export function operationDetail(route: Described) {
  const isPublic = route.operation === undefined;
  return {
    summary: route.summary,
    tags: [route.tag],
    ...(!isPublic && { security: [{ bearer: [] }], description: `Access: ${route.operation}` }),
    parameters: [...pathParameters(route.path), ...queryParameters(route.query ?? {})],
    ...(route.body && {
      requestBody: { required: true, content: { "application/json": { schema: plain(route.body.schema) } } },
    }),
    responses: {
      "2XX": { description: route.isStream ? "server-sent events" : "done" },
      default: { description: "what went wrong", content: { [PROBLEM_JSON]: { schema: PROBLEM_SCHEMA } } },
    },
  };
}

const PROBLEM_SCHEMA = {
  type: "object" as const,
  required: ["type", "title", "status", "error", "code", "next", "request_id"],
  properties: {
    type: { type: "string" as const },
    title: { type: "string" as const },
    status: { type: "integer" as const },
    error: { type: "string" as const, description: "what happened" },
    code: { type: "string" as const, description: "the reason; programs branch on it" },
    next: { type: "string" as const, description: "what to do" },
    request_id: { type: "string" as const },
  },
};

/** Drops the schema library's own marks. */
const plain = (schema: object): Record<string, unknown> => JSON.parse(JSON.stringify(schema));

const pathParameters = (path: string) =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name: name ?? "",
    in: "path",
    required: true,
    schema: { type: "string" as const },
  }));

const queryParameters = (query: Readonly<Record<string, string>>) =>
  Object.entries(query).map(([name, description]) => ({
    name,
    in: "query",
    description,
    schema: { type: "string" as const },
  }));
