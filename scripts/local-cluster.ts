/**
 * One server and one agent on this machine, run from source with their state in one
 * folder. Knows its own processes by id and start time, ends those and no others, and
 * refuses to start twice on one folder.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { ROOT } from "./workspace.ts";

/** Loopback ports that the cluster listens on. */
export interface Ports {
  readonly rest: number;
  readonly grpc: number;
  readonly agent: number;
}

/** A process, told apart from a later one with the same id. */
interface ProcessMark {
  readonly pid: number;
  readonly startTime: string;
}

/** Why a cluster could not be started, for people. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
}

const DEFAULT_PORTS: Ports = { rest: 8080, grpc: 50_051, agent: 50_052 };
const HOST = "127.0.0.1";

/** The cluster of one folder. */
export class LocalCluster {
  readonly #children: { readonly name: string; readonly process: Subprocess }[] = [];

  private constructor(
    readonly folder: string,
    readonly ports: Ports,
  ) {}

  /** Makes the folder this process's own and finds ports. @throws ClusterError when a live quickstart has the folder. */
  static async claim(folder: string): Promise<LocalCluster> {
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "quickstart.json");
    const claim = JSON.stringify({ owner: markOf(process.pid), children: [], url: "not up yet" } satisfies Claim);
    try {
      writeFileSync(file, claim, { flag: "wx" });
    } catch {
      const found = readClaim(file);
      if (found !== undefined && isAlive(found.owner)) {
        throw new ClusterError(
          `A quickstart cluster runs from this folder already (process ${found.owner.pid}, ${found.url}).\n` +
            "Use it, or stop it with Ctrl-C in its terminal.",
        );
      }
      await killAll(found?.children ?? []);
      rmSync(file, { force: true });
      writeFileSync(file, claim, { flag: "wx" });
    }
    return new LocalCluster(folder, await findPorts());
  }

  get url(): string {
    return `http://${HOST}:${this.ports.rest}`;
  }

  /** Starts the server; returns when it answers. */
  async startServer(): Promise<void> {
    const { rest, grpc } = this.ports;
    const server = this.#spawn("server", "src/bin/lattice-server.ts", [
      ...["--config", "config/minimal.yaml", "--data-dir", join(this.folder, "server")],
      ...["--rest-addr", `${HOST}:${rest}`, "--grpc-addr", `${HOST}:${grpc}`],
      // Makes the log of the first start; passed over on every later one.
      "--bootstrap",
    ]);
    await this.#waitFor(server, "server", () => isOk(`${this.url}/readyz`));
  }

  /** Starts the agent; returns when the server counts its node as ready. */
  async startAgent(): Promise<string> {
    const node = hostname();
    const agent = this.#spawn("agent", "src/bin/lattice-agent.ts", [
      ...["--node-id", node, "--quorum-endpoint", `http://${HOST}:${this.ports.grpc}`],
      ...["--grpc-addr", `${HOST}:${this.ports.agent}`, "--state-dir", join(this.folder, "agent")],
      // The work is that of whoever gave the command, root included: nobody else reaches this cluster.
      ...["--default-user", accountName(), "--allow-root"],
    ]);
    await this.#waitFor(agent, "agent", () => isNodeReady(this.url, node));
    return node;
  }

  /** Writes a `lattice` that talks to this cluster, for people to type, and returns its path. */
  writeCli(): string {
    const path = join(this.folder, "lattice");
    const quoted = [process.execPath, join(ROOT, "src/bin/lattice.ts")].map(
      (word) => `'${word.replaceAll("'", "'\\''")}'`,
    );
    const text = `#!/bin/sh\nLATTICE_SERVER=\${LATTICE_SERVER:-${this.url}} exec ${quoted.join(" ")} "$@"\n`;
    writeFileSync(path, text, { mode: 0o755 });
    return path;
  }

  /** Resolves with the name of the first process that ends by itself. */
  firstDeath(): Promise<string> {
    return Promise.race(this.#children.map(async ({ name, process: child }) => child.exited.then(() => name)));
  }

  /** Ends the agent, then the server: politely, then not. Running work is left alone: it outlives its agent. */
  async stop(): Promise<void> {
    for (const { process: child } of this.#children.splice(0).reverse()) {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await child.exited;
      clearTimeout(late);
    }
    rmSync(join(this.folder, "quickstart.json"), { force: true });
  }

  #spawn(name: string, entry: string, args: readonly string[]): Subprocess {
    const log = openSync(join(this.folder, `${name}.log`), "a");
    const child = Bun.spawn([process.execPath, join(ROOT, entry), ...args], {
      cwd: ROOT,
      env: cleanEnvironment(),
      stdio: ["ignore", log, log],
      detached: true,
    });
    closeSync(log);
    this.#children.push({ name, process: child });
    const children = this.#children.map(({ process: p }) => markOf(p.pid));
    writeFileSync(
      join(this.folder, "quickstart.json"),
      JSON.stringify({ owner: markOf(process.pid), children, url: this.url } satisfies Claim),
    );
    return child;
  }

  async #waitFor(child: Subprocess, name: string, isReady: () => Promise<boolean>): Promise<void> {
    const until = Date.now() + 30_000;
    while (!(await isReady())) {
      const isDead = child.exitCode !== null || child.signalCode !== null;
      if (isDead || Date.now() > until) {
        const log = join(this.folder, `${name}.log`);
        const last = readFileSync(log, "utf8").trimEnd().split("\n").slice(-5).join("\n");
        throw new ClusterError(
          `The ${name} ${isDead ? "ended" : "is not ready after 30 s"}. Its log (${log}) ends with:\n${last}`,
        );
      }
      await Bun.sleep(20);
    }
  }
}

/** What a quickstart that was killed left behind: its own server and agent, and nothing else. */
async function killAll(left: readonly ProcessMark[]): Promise<void> {
  for (const child of left) if (isAlive(child)) process.kill(child.pid, "SIGKILL");
  while (left.some(isAlive)) await Bun.sleep(10);
}

/** Returns the usual ports, each replaced by a free one when it is taken. */
async function findPorts(): Promise<Ports> {
  const [rest, grpc, agent] = await Promise.all([
    freePort(DEFAULT_PORTS.rest),
    freePort(DEFAULT_PORTS.grpc),
    freePort(DEFAULT_PORTS.agent),
  ]);
  return { rest, grpc, agent };
}

/** Returns which of the usual ports another program has. */
export const takenPorts = (ports: Ports): readonly number[] =>
  (["rest", "grpc", "agent"] as const).filter((p) => ports[p] !== DEFAULT_PORTS[p]).map((p) => DEFAULT_PORTS[p]);

interface Claim {
  readonly owner: ProcessMark;
  readonly children: readonly ProcessMark[];
  readonly url: string;
}

function readClaim(file: string): Claim | undefined {
  try {
    const claim: Claim = JSON.parse(readFileSync(file, "utf8"));
    return typeof claim.owner?.pid === "number" ? claim : undefined;
  } catch {
    return undefined;
  }
}

const markOf = (pid: number): ProcessMark => ({ pid, startTime: startTimeOf(pid) ?? "" });

const isAlive = ({ pid, startTime }: ProcessMark): boolean => startTime !== "" && startTimeOf(pid) === startTime;

/** Field 22 of /proc/<pid>/stat; the name in field 2 may hold anything. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** The account of this process. Bun's userInfo() reads variables, which a service or a container may lack. */
function accountName(): string {
  return Bun.spawnSync(["id", "-un"]).stdout.toString().trim();
}

/** Settings of the caller's shell must not change a cluster that has its own. */
export function cleanEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(LATTICE|SLURM)_/.test(name)));
}

async function freePort(wanted: number): Promise<number> {
  if (await canListen(wanted)) return wanted;
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : wanted;
      server.close(() => resolve(port));
    });
  });
}

/** A port is taken when something answers on it, or when it cannot be bound. */
async function canListen(port: number): Promise<boolean> {
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(port, HOST);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.unref();
  });
  if (answers) return false;
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

async function isOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

async function isNodeReady(url: string, node: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/api/v1/nodes/${encodeURIComponent(node)}`, {
      signal: AbortSignal.timeout(2_000),
    });
    const body: unknown = await answer.json();
    return typeof body === "object" && body !== null && "state" in body && body.state === "ready";
  } catch {
    return false;
  }
}
