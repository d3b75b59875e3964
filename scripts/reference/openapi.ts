/** docs/reference/openapi.json: what a server of this version answers at /openapi. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Authenticator } from "../../src/api/auth/authenticate.ts";
import { createApp } from "../../src/api/rest/elysia-app.ts";
import type { Server } from "../../src/engine/server/server.ts";
import { ROOT } from "../workspace.ts";

/** Returns docs/reference/openapi.json. */
export async function renderOpenApi(): Promise<string> {
  const manifest: { readonly version: string } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  // The document needs nothing of a running server but its version.
  const server: Server = Object.assign(Object.create(null), { version: manifest.version });
  const authenticator: Authenticator = Object.create(null);
  const app = createApp({
    server,
    authenticator,
    discovery: { issuer: "", clientId: "" },
    rpcHandlers: [],
    shutdown: new AbortController().signal,
  });
  const answer = await app.handle(new Request("http://localhost/openapi"));
  return `${JSON.stringify(await answer.json(), undefined, 2)}\n`;
}
