/**
 * A cluster of the built binaries on loopback, for tests that act as people and failures
 * do: through the REST face and the CLI, with kill -9, restarts and cut connections.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { freePorts } from "../fixtures/free-ports.ts";

const DIST = join(import.meta.dir, "../../dist");
const HOST = "127.0.0.1";
/** The account that runs the tests. */
const ME = Bun.spawnSync(["id", "-un"]).stdout.toString().trim();

/** An allocation as the REST face gives it. */
export interface AllocationJson {
  readonly id: string;
  readonly short_id: number;
  readonly state: string;
  readonly name: string;
  readonly message: string;
  readonly exit_code?: number;
  readonly attempt: number;
  readonly assigned_nodes: readonly string[];
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface AgentOptions {
  /** Where the agent dials, when not the server itself. */
  readonly endpoint?: string;
  readonly flags?: readonly string[];
}

export interface ClusterOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Heartbeats and grace of seconds, so that failures show quickly. */
  readonly isQuick?: boolean;
  /** Of the server, after those that every server gets. */
  readonly serverFlags?: readonly string[];
}

export class Cluster {
  readonly dir = mkdtempSync(join(tmpdir(), "lattice-e2e-"));
  readonly #options: ClusterOptions;
  readonly #agents = new Map<string, Subprocess>();
  #server: Subprocess | undefined;
  #rest = 0;
  #grpc = 0;

  private constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Starts a server on free ports. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options);
    [cluster.#rest = 0, cluster.#grpc = 0] = await freePorts(2);
    await cluster.startServer(true);
    return cluster;
  }

  get url(): string {
    return `http://${HOST}:${this.#rest}`;
  }

  get grpcUrl(): string {
    return `http://${HOST}:${this.#grpc}`;
  }

  get grpcPort(): number {
    return this.#grpc;
  }

  get serverPid(): number {
    return this.#server?.pid ?? 0;
  }

  async startServer(isFirst = false): Promise<void> {
    const quick = {
      LATTICE_NODE_AGENT_HEARTBEAT_INTERVAL_SECONDS: "1",
      LATTICE_NODE_AGENT_HEARTBEAT_TIMEOUT_SECONDS: "2",
      LATTICE_NODE_AGENT_GRACE_PERIOD_SECONDS: "3",
    };
    const flags = [
      ...["--rest-addr", `${HOST}:${this.#rest}`, "--grpc-addr", `${HOST}:${this.#grpc}`],
      ...["--data-dir", join(this.dir, "server"), ...(isFirst ? ["--bootstrap"] : [])],
      ...(this.#options.serverFlags ?? []),
    ];
    this.#server = spawn("lattice-server", flags, {
      log: join(this.dir, "server.log"),
      env: { ...(this.#options.isQuick && quick), ...this.#options.env },
    });
    await until(`the server answers (see ${join(this.dir, "server.log")})`, async () => {
      if (this.#server?.exitCode !== null) throw new Error(`the server ended: ${await this.log("server")}`);
      return (await fetch(`${this.url}/readyz`).catch(() => undefined))?.ok === true;
    });
  }

  /** Ends the server as a power cut would, as far as the process is concerned. */
  async killServer(): Promise<void> {
    this.#server?.kill("SIGKILL");
    await this.#server?.exited;
  }

  async stopServer(): Promise<number> {
    this.#server?.kill("SIGTERM");
    return (await this.#server?.exited) ?? -1;
  }

  /** Starts an agent and waits until its node is ready. */
  async startAgent(name: string, options: AgentOptions = {}): Promise<void> {
    this.launchAgent(name, options);
    await this.nodeIs(name, "ready");
  }

  launchAgent(name: string, { endpoint, flags = [] }: AgentOptions = {}): Subprocess {
    const agent = spawn(
      "lattice-agent",
      [
        ...["--node-id", name, "--quorum-endpoint", endpoint ?? this.grpcUrl],
        ...["--grpc-addr", `${HOST}:0`, "--state-dir", join(this.dir, name)],
        ...["--default-user", ME, "--allow-root", ...flags],
      ],
      { log: join(this.dir, `${name}.log`), env: this.#options.env ?? {} },
    );
    this.#agents.set(name, agent);
    return agent;
  }

  async nodeIs(name: string, state: string): Promise<void> {
    await until(`node ${name} is ${state}`, async () => {
      const response = await this.get(`/api/v1/nodes/${name}`).catch(() => undefined);
      return (response as { state?: string } | undefined)?.state === state;
    });
  }

  /** Ends an agent; its workloads live on. */
  async killAgent(name: string): Promise<void> {
    const agent = this.#agents.get(name);
    agent?.kill("SIGKILL");
    await agent?.exited;
    this.#agents.delete(name);
  }

  /** Ends an agent and everything it started, as when its machine dies. */
  async killMachine(name: string): Promise<void> {
    await this.killAgent(name);
    const stateDir = join(this.dir, name);
    for (let round = 0; round < 5; round++) {
      for (const pid of await pidsMentioning(stateDir)) kill(pid);
      await Bun.sleep(20);
    }
  }

  async request(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  /** @returns the parsed body. Throws on any other status than 2xx. */
  async get(path: string): Promise<unknown> {
    const response = await this.request("GET", path);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async post(path: string, body: unknown = {}): Promise<Record<string, unknown>> {
    const response = await this.request("POST", path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  /** Submits and returns the number that people use. */
  async submit(spec: Record<string, unknown>): Promise<string> {
    const given = await this.post("/api/v1/allocations", { tenant: "default", ...spec });
    return String(given.short_id);
  }

  async allocation(ref: string): Promise<AllocationJson> {
    return (await this.get(`/api/v1/allocations/${ref}`)) as AllocationJson;
  }

  async reaches(ref: string, ...states: readonly string[]): Promise<AllocationJson> {
    let last: AllocationJson | undefined;
    await until(
      () => `allocation ${ref} is ${states.join(" or ")}; it is ${last?.state}: ${last?.message}`,
      async () => {
        last = await this.allocation(ref).catch(() => undefined);
        return last !== undefined && states.includes(last.state);
      },
    );
    if (!last) throw new Error(`no allocation ${ref}`);
    return last;
  }

  async cli(...args: readonly string[]): Promise<CommandResult> {
    return this.cliAs("", ...args);
  }

  /** Runs the CLI with a token; an empty one is none. */
  async cliAs(token: string, ...args: readonly string[]): Promise<CommandResult> {
    const child = Bun.spawn([join(DIST, "lattice"), "--server", this.url, ...args], {
      stdout: "pipe",
      stderr: "pipe",
      stdin: "ignore",
      cwd: this.dir,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: this.dir,
        NO_COLOR: "1",
        ...(token !== "" && { LATTICE_TOKEN: token }),
      },
    });
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, stdout, stderr };
  }

  log(name: string): Promise<string> {
    return Bun.file(join(this.dir, `${name}.log`)).text();
  }

  /** Ends everything this cluster started. */
  async stop(): Promise<void> {
    for (const name of [...this.#agents.keys()]) await this.killMachine(name);
    await this.killServer();
    for (const pid of await pidsMentioning(this.dir)) kill(pid);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Waits up to 30 s for a condition, looking often. */
export async function until(
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (Date.now() < end) {
    if (await condition()) return;
    await Bun.sleep(25);
  }
  throw new Error(`not within ${limitMs / 1000} s: ${typeof what === "string" ? what : what()}`);
}

function spawn(
  name: string,
  flags: readonly string[],
  { log, env }: { readonly log: string; readonly env: Readonly<Record<string, string>> },
): Subprocess {
  return Bun.spawn(["/bin/sh", "-c", 'exec "$@" >> "$0" 2>&1', log, join(DIST, name), ...flags], {
    stdin: "ignore",
    env: { PATH: process.env.PATH ?? "", ...env },
  });
}

/** Processes whose command line or environment names `text`: the supervisors and workloads of one state directory. */
export async function pidsMentioning(text: string): Promise<readonly number[]> {
  const pids: number[] = [];
  for await (const entry of new Bun.Glob("[0-9]*").scan({ cwd: "/proc", onlyFiles: false })) {
    if (Number(entry) === process.pid) continue;
    const read = (file: string) =>
      Bun.file(`/proc/${entry}/${file}`)
        .text()
        .catch(() => "");
    const said = `${await read("cmdline")}\n${await read("environ")}`;
    if (said.includes(text)) pids.push(Number(entry));
  }
  return pids;
}

/** Kills a process that may have gone already. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
