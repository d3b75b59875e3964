/** The route that tells callers whom the server takes them for. */
import { json, type Route } from "../rest/route.ts";

/** Routes about the caller. */
export const AUTH_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/auth/whoami",
    operation: "self.read",
    summary: "Says whom the caller is taken for: user, role, tenant and node, and until when",
    handle({ call: { principal, credentialEndsAt } }) {
      const { user, role, tenant, node } = principal;
      return json({
        user,
        role,
        ...(tenant !== undefined && { tenant }),
        ...(node !== undefined && { node }),
        ...(credentialEndsAt !== undefined && { valid_until: new Date(credentialEndsAt).toISOString() }),
      });
    },
  },
];
