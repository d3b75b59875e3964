/**
 * The README's first command: a cluster on this machine from a fresh checkout, and one
 * batch script through it. Keeps the cluster up until Ctrl-C; with --exit it ends with the
 * script and returns the script's exit code.
 */
import { join } from "node:path";
import type { Ports } from "./local-cluster.ts";
import { ClusterError, cleanEnvironment, LocalCluster, takenPorts } from "./local-cluster.ts";
import { ensureInstalled, ROOT } from "./workspace.ts";

const STARTED = performance.now();
/** How long a job may wait before the reasons are shown. */
const PATIENCE_MS = 3_000;
const SCRIPT = "examples/hello.sh";
const USAGE = `Usage: bun run quickstart [--exit]

Starts a server and an agent on this machine, with their state in .lattice, and
runs ${SCRIPT} on them. The cluster stays up until Ctrl-C; with --exit it
ends with the script and its exit code is the script's.
`;

/** Whether the story has come to its end: a Ctrl-C is then how the cluster is stopped. */
let isUp = false;

/** What the status of a job says, as far as it is told here. */
interface JobEnd {
  readonly state: string;
  readonly exitCode: number | undefined;
  readonly message: string;
}

async function main(argv: readonly string[]): Promise<number> {
  const unknown = argv.find((word) => !["--exit", "--help", "-h"].includes(word));
  if (unknown !== undefined || argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(unknown === undefined ? USAGE : `unknown argument ${unknown}\n\n${USAGE}`);
    return unknown === undefined ? 0 : 2;
  }
  ensureInstalled("product");
  const cluster = await LocalCluster.claim(join(ROOT, ".lattice"));
  const interrupted = new Promise<"interrupted">((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve("interrupted"));
  });
  try {
    const told = story(cluster, argv.includes("--exit"), interrupted);
    return await Promise.race([told, interrupted.then(() => (isUp ? told : 130))]);
  } finally {
    await cluster.stop();
  }
}

async function story(cluster: LocalCluster, ends: boolean, interrupted: Promise<unknown>): Promise<number> {
  introduce(cluster.ports);
  await cluster.startServer();
  line("server", `${cluster.url} (REST, Connect), 127.0.0.1:${cluster.ports.grpc} (gRPC)`);
  const node = await cluster.startAgent();
  line("agent", `node ${node}`);
  const cli = cluster.writeCli();
  const id = lattice(cli, "submit", "-q", SCRIPT).trim();
  line("job", `${id}, from ${SCRIPT}`);

  console.log(`\n${ruler(`output of job ${id}`)}`);
  await follow(cluster, { cli, id, interrupted });
  const end = jobEnd(cli, id);
  console.log(ruler(""));
  const seconds = ((performance.now() - STARTED) / 1_000).toFixed(1);
  const how = end.exitCode === undefined ? end.message : `exit code ${end.exitCode}`;
  console.log(`\nJob ${id} ${end.state}${how === "" ? "" : ` (${how})`}, ${seconds} s after the command was given.`);
  if (ends) return end.state === "completed" ? 0 : (end.exitCode ?? 1);

  isUp = true;
  goOn();
  const dead = await Promise.race([cluster.firstDeath(), interrupted.then(() => undefined)]);
  if (dead !== undefined) throw new ClusterError(`The ${dead} has ended; see .lattice/${dead}.log.`);
  console.log("\nStopping. The state stays in .lattice: the next quickstart goes on from there.");
  return 0;
}

/** Shows the output until the job has ended; what keeps it waiting is said after a while. */
async function follow(
  cluster: LocalCluster,
  { cli, id, interrupted }: { readonly cli: string; readonly id: string; readonly interrupted: Promise<unknown> },
): Promise<void> {
  const reader = Bun.spawn([process.execPath, "--no-orphans", "src/bin/lattice.ts", "logs", "--follow", id], {
    cwd: ROOT,
    env: { ...cleanEnvironment(), LATTICE_SERVER: cluster.url },
    stdio: ["ignore", "inherit", "inherit"],
  });
  void interrupted.then(() => reader.kill());
  const explain = setTimeout(() => {
    if (jobEnd(cli, id).state === "pending") console.log(lattice(cli, "explain", id).trimEnd());
  }, PATIENCE_MS);
  await reader.exited;
  clearTimeout(explain);
}

function introduce(ports: Ports): void {
  console.log("Lattice quickstart: one server and one agent on this machine, state in .lattice\n");
  const taken = takenPorts(ports);
  if (taken.length > 0) console.log(`Taken by other programs, so replaced by free ones: port ${taken.join(", ")}\n`);
}

function goOn(): void {
  console.log(`
The cluster is up. In another terminal, from this folder:

  .lattice/lattice submit ${SCRIPT}
  .lattice/lattice submit --array 0-9%2 -- sh -c 'echo $LATTICE_TASK_INDEX'
  .lattice/lattice status
  .lattice/lattice logs --follow ID
  .lattice/lattice nodes
  .lattice/lattice --help

The API document is at /openapi. The logs are .lattice/server.log and agent.log.
Ctrl-C stops the cluster; its state stays in .lattice.`);
}

/** Runs the CLI and returns what it printed; ends the quickstart with the CLI's words when it fails. */
function lattice(cli: string, ...args: readonly string[]): string {
  const run = Bun.spawnSync([cli, ...args], { cwd: ROOT, env: cleanEnvironment() });
  if (run.exitCode === 0) return run.stdout.toString();
  throw new ClusterError(`lattice ${args.join(" ")} failed:\n${run.stderr.toString().trimEnd()}`);
}

function jobEnd(cli: string, id: string): JobEnd {
  const parsed: unknown = JSON.parse(lattice(cli, "status", id, "-o", "json"));
  const record: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  const fields = new Map<string, unknown>(typeof record === "object" && record !== null ? Object.entries(record) : []);
  const code = fields.get("exit_code");
  return {
    state: String(fields.get("state")),
    exitCode: typeof code === "number" && code >= 0 ? code : undefined,
    message: String(fields.get("message") ?? ""),
  };
}

const line = (what: string, text: string): void => console.log(`  ${what.padEnd(8)}${text}`);

const ruler = (title: string): string => `── ${title} `.replace("──  ", "──").padEnd(80, "─");

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ClusterError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
process.exit();
