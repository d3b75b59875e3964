/**
 * Logging in with the browser of this machine: it is sent to the provider and comes back
 * to a port on loopback. Whoever else knocks at that port gets nothing and disturbs nothing.
 */
import { createServer, type Server } from "node:http";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { type AuthorizationRequest, CALLBACK, requestAuthorization } from "./authorization-request.ts";
import type { LogIn } from "./login-world.ts";
import { FlowUnavailable, unlessGivenUp } from "./login-world.ts";

const PATIENCE_MS = 300_000;
/** `localhost` is either, as the browser likes. */
const HOSTS = ["127.0.0.1", "::1"];
const PAGE = `<!doctype html><meta charset="utf-8"><title>Lattice</title><p>You can close this page: Lattice goes on in the terminal.</p>`;

/** Logs in through the browser of this machine. */
export const logInByBrowser: LogIn = async (provider, { scope, say, open, signal }) => {
  const request = await requestAuthorization(provider, scope);
  const door = await openDoor(request);
  try {
    say(`Log in in your browser. If none opens, open this address:\n\n  ${request.address}\n`);
    open(request.address);
    return await request.redeem(await withPatience(unlessGivenUp(door.arrival, signal)));
  } finally {
    door.close();
  }
};

interface Door {
  /** The address at which the browser comes back. */
  readonly arrival: Promise<URL>;
  close(): void;
}

async function openDoor({ state }: AuthorizationRequest): Promise<Door> {
  const { promise: arrival, resolve } = Promise.withResolvers<URL>();
  const servers: Server[] = [];
  const close = () => {
    for (const server of servers) {
      server.close();
      server.closeIdleConnections();
    }
  };
  for (const host of HOSTS) {
    const server = createServer((request, response) => {
      const at = new URL(request.url ?? "/", CALLBACK.address);
      const isOurs = at.pathname === CALLBACK.path && at.searchParams.get("state") === state;
      response.writeHead(isOurs ? 200 : 404, { "content-type": "text/html", connection: "close" });
      response.end(isOurs ? PAGE : "");
      if (isOurs) response.once("close", () => resolve(at));
    });
    try {
      await listen(server, host);
      servers.push(server);
    } catch (error) {
      // A machine without IPv6 has no ::1.
      if (host !== HOSTS[0] && codeOf(error) !== "EADDRINUSE") continue;
      close();
      throw new FlowUnavailable(`port ${CALLBACK.port}, where the browser comes back, is not free`, { cause: error });
    }
  }
  return { arrival, close };
}

function listen(server: Server, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(CALLBACK.port, host, resolve);
  });
}

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

async function withPatience<T>(answer: Promise<T>): Promise<T> {
  const { promise: end, reject } = Promise.withResolvers<never>();
  const late = fault("DEADLINE", "nobody has logged in for five minutes", "run lattice login again");
  const timer = setTimeout(() => reject(new LatticeError(late)), PATIENCE_MS);
  try {
    return await Promise.race([answer, end]);
  } finally {
    clearTimeout(timer);
  }
}
