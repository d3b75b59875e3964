/**
 * Three servers of the built binaries on loopback, with agents that know them all, for
 * tests that act as operators and failures do: kill -9, freeze, restart, an emptied data
 * directory, a damaged configuration.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { freePorts } from "../fixtures/free-ports.ts";
import type { IssuedFiles } from "../fixtures/openssl-authority.ts";
import { type AllocationJson, type CommandResult, kill, pidsMentioning, until } from "./cluster.ts";

/** Another folder lets a long run keep its binaries while others build. */
const DIST = process.env.LATTICE_TEST_DIST ?? join(import.meta.dir, "../../dist");
const HOST = "127.0.0.1";
/** The account that runs the tests. */
const ME = Bun.spawnSync(["id", "-un"]).stdout.toString().trim();

/** What GET /api/v1/raft/status answers. */
export interface StatusJson {
  readonly available: boolean;
  readonly leader_id: number;
  readonly self_id: number;
  readonly current_term: number;
  readonly commit_index: number;
  readonly last_applied: number;
  readonly state_hash: string;
  readonly members: readonly {
    readonly node_id: number;
    readonly address: string;
    readonly role: string;
    readonly match_index: number | null;
    readonly lag: number | null;
    readonly last_contact_ms: number | null;
  }[];
}

interface MemberPorts {
  readonly rest: number;
  readonly grpc: number;
  readonly raft: number;
}

export interface QuorumTls {
  readonly server: IssuedFiles;
  readonly client: IssuedFiles;
  readonly agent: (name: string) => IssuedFiles;
}

export interface QuorumOptions {
  /** More than three. */
  readonly size?: number;
  /** Added to the section `quorum` of every server. */
  readonly quorum?: Readonly<Record<string, unknown>>;
  /** Everybody has a certificate: the servers one, the tests and the CLI one, each agent its own. */
  readonly tls?: QuorumTls;
  /** Runs the servers by another command, which is given the member and the command line. */
  readonly wrap?: (id: number, command: readonly string[]) => readonly string[];
  /** Where clients and agents find a server; on loopback when absent. */
  readonly hostOf?: (id: number) => string;
  /** Where the other members find it; as clients do when absent. */
  readonly raftHostOf?: (id: number) => string;
  /** Is called before the first server starts. */
  readonly prepare?: (cluster: QuorumCluster) => void;
  /** Is called when nothing runs any more, before the files are removed. */
  readonly release?: () => void;
}

/** Servers with the ids 1, 2, 3. */
export class QuorumCluster {
  readonly dir = mkdtempSync(join(tmpdir(), "lattice-e2e-quorum-"));
  readonly ids: readonly number[];
  readonly #options: QuorumOptions;
  readonly #ports = new Map<number, MemberPorts>();
  readonly #servers = new Map<number, Subprocess>();
  readonly #agents = new Map<string, Subprocess>();

  private constructor(options: QuorumOptions) {
    this.#options = options;
    this.ids = Array.from({ length: options.size ?? 3 }, (_, i) => i + 1);
  }

  /** Writes the configurations and starts nothing. */
  static async prepare(options: QuorumOptions = {}): Promise<QuorumCluster> {
    const cluster = new QuorumCluster(options);
    await cluster.choosePorts(...cluster.ids);
    for (const id of cluster.ids) cluster.configure(id, cluster.ids);
    options.prepare?.(cluster);
    return cluster;
  }

  /** Bootstraps server 1, starts the others, and waits until all of them serve. */
  static async start(options: QuorumOptions = {}): Promise<QuorumCluster> {
    const cluster = await QuorumCluster.prepare(options);
    await Promise.all(cluster.ids.map((id) => cluster.startServer(id, id === 1 ? ["--bootstrap"] : [])));
    await Promise.all(cluster.ids.map((id) => cluster.isReady(id)));
    return cluster;
  }

  async choosePorts(...ids: readonly number[]): Promise<void> {
    const ports = await freePorts(3 * ids.length);
    for (const [i, id] of ids.entries()) {
      const [rest = 0, grpc = 0, raft = 0] = ports.slice(3 * i, 3 * i + 3);
      this.#ports.set(id, { rest, grpc, raft });
    }
  }

  /** Writes the configuration of a server whose peers are `members` without itself. */
  configure(id: number, members: readonly number[]): void {
    const peers = members.filter((m) => m !== id).map((m) => ({ id: m, address: this.raftAddress(m) }));
    this.#writeConfig(id, { raft_listen_address: this.raftAddress(id), peers });
  }

  /** Writes the configuration of a server that knows of no others. */
  configureAlone(id: number): void {
    this.#writeConfig(id, {});
  }

  #writeConfig(id: number, quorum: Readonly<Record<string, unknown>>): void {
    const { rest, grpc } = this.#portsOf(id);
    const server = this.#options.tls?.server;
    const config = {
      quorum: { node_id: id, data_dir: this.dataDir(id), ...quorum, ...this.#options.quorum },
      api: {
        rest_address: `${this.#host(id)}:${rest}`,
        grpc_address: `${this.#host(id)}:${grpc}`,
        ...(server && { tls_cert: server.cert, tls_key: server.key, tls_ca: server.ca }),
      },
      storage: {},
      telemetry: {},
      node_agent: { heartbeat_interval_seconds: 1, heartbeat_timeout_seconds: 3, grace_period_seconds: 10 },
    };
    // JSON is YAML.
    writeFileSync(this.configPath(id), JSON.stringify(config, undefined, 2));
  }

  configPath(id: number): string {
    return join(this.dir, `server-${id}.yaml`);
  }

  dataDir(id: number): string {
    return join(this.dir, `server-${id}`, "raft");
  }

  url(id: number): string {
    return `${this.#scheme}://${this.#host(id)}:${this.#portsOf(id).rest}`;
  }

  grpcUrl(id: number): string {
    return `${this.#scheme}://${this.#host(id)}:${this.#portsOf(id).grpc}`;
  }

  get #scheme(): string {
    return this.#options.tls === undefined ? "http" : "https";
  }

  /** What a request of the tests proves who it is with. */
  get #identity() {
    const files = this.#options.tls?.client;
    const read = (path: string) => readFileSync(path, "utf8");
    return files && { tls: { cert: read(files.cert), key: read(files.key), ca: read(files.ca) } };
  }

  urls(): readonly string[] {
    return this.ids.map((id) => this.url(id));
  }

  raftAddress(id: number): string {
    return `${this.#options.raftHostOf?.(id) ?? this.#host(id)}:${this.#portsOf(id).raft}`;
  }

  /** Starts a server; does not wait for it. */
  async startServer(id: number, flags: readonly string[] = []): Promise<Subprocess> {
    const command = [join(DIST, "lattice-server"), "--config", this.configPath(id), ...flags];
    const wrapped = this.#options.wrap?.(id, command) ?? command;
    const server = spawn(wrapped, join(this.dir, `server-${id}.log`));
    this.#servers.set(id, server);
    return server;
  }

  isRunning(id: number): boolean {
    const server = this.#servers.get(id);
    return server !== undefined && server.exitCode === null && server.signalCode === null;
  }

  /** Returns once the server says that it serves. */
  async isReady(id: number, limitMs = 30_000): Promise<void> {
    const what = () => `server ${id} is ready (see ${join(this.dir, `server-${id}.log`)})`;
    await until(
      what,
      async () => {
        if (!this.isRunning(id)) throw new Error(`server ${id} ended: ${await this.log(`server-${id}`)}`);
        const answer = await fetch(`${this.url(id)}/readyz`, {
          signal: AbortSignal.timeout(5_000),
          ...this.#identity,
        }).catch(() => undefined);
        return answer?.ok === true;
      },
      limitMs,
    );
  }

  /** Ends a server as a power cut would, as far as the process is concerned. */
  async killServer(id: number): Promise<void> {
    const server = this.#servers.get(id);
    server?.kill("SIGKILL");
    await server?.exited;
  }

  /** Ends a server as systemd would; returns its exit code. */
  async stopServer(id: number): Promise<number> {
    const server = this.#servers.get(id);
    server?.kill("SIGTERM");
    return (await server?.exited) ?? -1;
  }

  /** Stops every thread of a server, or lets them go on. */
  freeze(id: number, isFrozen: boolean): void {
    this.#servers.get(id)?.kill(isFrozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Starts a server and waits until it serves. */
  async restart(id: number, flags: readonly string[] = []): Promise<void> {
    await this.startServer(id, flags);
    await this.isReady(id);
  }

  /** Throws the data of a stopped server away, as a new disk does. */
  emptyDataDir(id: number): void {
    rmSync(this.dataDir(id), { recursive: true, force: true });
  }

  /** Makes the data of a stopped server from a backup, and returns what is said of it. */
  restore(id: number, backup: string): string {
    const flags = ["restore", "--from", backup, "--config", this.configPath(id)];
    const { exitCode, stdout, stderr } = Bun.spawnSync([join(DIST, "lattice-server"), ...flags]);
    if (exitCode !== 0) throw new Error(`restore ended with ${exitCode}: ${stderr.toString()}`);
    return stdout.toString();
  }

  async status(id: number): Promise<StatusJson> {
    return (await this.get(id, "/api/v1/raft/status")) as StatusJson;
  }

  /** Returns the server that says itself that it leads, among those that answer. */
  async leader(): Promise<number> {
    let found = 0;
    await until("a server leads", async () => {
      for (const id of this.ids.filter((m) => this.isRunning(m))) {
        const status = await this.status(id).catch(() => undefined);
        if (status?.leader_id === id) found = id;
      }
      return found !== 0;
    });
    return found;
  }

  /** Waits until all running servers have applied the same and hold the same state. */
  async agree(): Promise<void> {
    let seen: readonly string[] = [];
    await until(
      () => `the servers hold the same state; they hold ${seen.join(", ")}`,
      async () => {
        const all = await Promise.all(this.ids.filter((id) => this.isRunning(id)).map((id) => this.status(id)));
        seen = all.map((s) => `${s.last_applied}:${s.state_hash}`);
        return new Set(seen).size === 1;
      },
    );
  }

  async startAgent(name: string): Promise<void> {
    const endpoints = this.ids.map((id) => this.grpcUrl(id)).join(",");
    const command = [
      join(DIST, "lattice-agent"),
      ...["--node-id", name, "--quorum-endpoint", endpoints, "--grpc-addr", `${HOST}:0`],
      ...["--state-dir", join(this.dir, name), "--default-user", ME, "--allow-root"],
      ...this.#agentIdentity(name),
    ];
    this.#agents.set(name, spawn(command, join(this.dir, `${name}.log`)));
    await until(`node ${name} is ready`, async () => {
      const node = (await this.get(1, `/api/v1/nodes/${name}`).catch(() => undefined)) as
        | { state?: string }
        | undefined;
      return node?.state === "ready";
    });
  }

  #agentIdentity(name: string): readonly string[] {
    const files = this.#options.tls?.agent(name);
    if (files === undefined) return [];
    return ["--bootstrap-cert", files.cert, "--bootstrap-key", files.key, "--bootstrap-ca", files.ca];
  }

  request(id: number, method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) {
    return fetch(`${this.url(id)}${path}`, {
      method,
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
      ...this.#identity,
    });
  }

  /** Returns the parsed body. Throws on any other status than 2xx. */
  async get(id: number, path: string): Promise<unknown> {
    const response = await this.request(id, "GET", path);
    if (!response.ok) throw new Error(`GET ${path} of server ${id}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** Submits at one server and returns the number that people use. */
  async submit(id: number, spec: Readonly<Record<string, unknown>>): Promise<string> {
    const response = await this.request(id, "POST", "/api/v1/allocations", { tenant: "default", ...spec });
    const text = await response.text();
    if (!response.ok) throw new Error(`submit at server ${id}: ${response.status} ${text}`);
    return String(JSON.parse(text).short_id);
  }

  /** Waits until server `id` shows the allocation in one of the states. */
  async reaches(id: number, ref: string, ...states: readonly string[]): Promise<AllocationJson> {
    let last: AllocationJson | undefined;
    await until(
      () => `allocation ${ref} is ${states.join(" or ")}; it is ${last?.state}: ${last?.message}`,
      async () => {
        last = (await this.get(id, `/api/v1/allocations/${ref}`).catch(() => undefined)) as AllocationJson | undefined;
        return last !== undefined && states.includes(last.state);
      },
    );
    if (!last) throw new Error(`no allocation ${ref}`);
    return last;
  }

  /** Runs the CLI, which knows every server unless `servers` names others. */
  async cli(args: readonly string[], servers: readonly string[] = this.urls()): Promise<CommandResult> {
    const child = Bun.spawn([join(DIST, "lattice"), ...args], {
      stdout: "pipe",
      stderr: "pipe",
      stdin: "ignore",
      cwd: this.dir,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: this.dir,
        NO_COLOR: "1",
        LATTICE_SERVER: servers.join(","),
        ...this.#cliIdentity,
      },
    });
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, stdout, stderr };
  }

  get #cliIdentity(): Readonly<Record<string, string>> {
    const files = this.#options.tls?.client;
    return files === undefined ? {} : { LATTICE_CERT: files.cert, LATTICE_KEY: files.key, LATTICE_CA: files.ca };
  }

  /** Returns what a process has written so far. */
  log(name: string): Promise<string> {
    return Bun.file(join(this.dir, `${name}.log`))
      .text()
      .catch(() => "");
  }

  /** Ends everything this cluster started. */
  async stop(): Promise<void> {
    for (const child of [...this.#agents.values(), ...this.#servers.values()]) {
      child.kill("SIGKILL");
      await child.exited;
    }
    for (let round = 0; round < 3; round++) for (const pid of await pidsMentioning(this.dir)) kill(pid);
    this.#options.release?.();
    rmSync(this.dir, { recursive: true, force: true });
  }

  #host(id: number): string {
    return this.#options.hostOf?.(id) ?? HOST;
  }

  #portsOf(id: number): MemberPorts {
    return this.#ports.get(id) ?? { rest: 0, grpc: 0, raft: 0 };
  }
}

function spawn(command: readonly string[], log: string): Subprocess {
  return Bun.spawn(["/bin/sh", "-c", 'exec "$@" >> "$0" 2>&1', log, ...command], {
    stdin: "ignore",
    env: { PATH: process.env.PATH ?? "" },
  });
}
