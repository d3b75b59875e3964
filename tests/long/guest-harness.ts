/**
 * Runs inside the guest of agent-guest.test.ts, compiled: drives the real runtime where
 * the kernel has every cgroup controller, and prints one JSON line of findings.
 *
 *   guest-harness limits       memory, processes, kill of everything
 *   guest-harness serve DIR    starts a workload, then waits; started again, adopts it
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { WorkloadExit, WorkloadKey } from "../../src/core/domain/workload.ts";
import { workloadName } from "../../src/core/domain/workload.ts";
import { findHierarchy, makeScopeParent } from "../../src/io/cgroup/hierarchy.ts";
import { createJsonLogger } from "../../src/io/json-logger.ts";
import { Accounts } from "../../src/io/runtime/process/account.ts";
import { ScopeContainment } from "../../src/io/runtime/process/containment.ts";
import { ProcessRuntime } from "../../src/io/runtime/process/process-runtime.ts";
import { aFence, aKey, aWork } from "../fixtures/works.ts";

const MIB = 1024 ** 2;
const exits = new Map<string, WorkloadExit>();
const listener = { onExited: (key: WorkloadKey, exit: WorkloadExit) => void exits.set(workloadName(key), exit) };

async function open(stateDir: string, pidsMax?: number) {
  const hierarchy = await findHierarchy();
  if (hierarchy === undefined) throw new Error("no cgroup v2 hierarchy");
  const found = await makeScopeParent(hierarchy, "guest");
  const parent = pidsMax === undefined ? found : { ...found, pidsMax };
  mkdirSync(stateDir, { recursive: true });
  const runtime = new ProcessRuntime({
    stateDir,
    containment: new ScopeContainment(parent),
    accounts: new Accounts({ defaultUser: "", allowsRoot: true }),
    log: createJsonLogger((line) => process.stderr.write(line), "warn"),
  });
  return { runtime, parent, recovered: await runtime.recover(listener) };
}

async function start(runtime: ProcessRuntime, n: number, command: string): Promise<WorkloadKey> {
  const key = aKey(n);
  const claim = { ...aWork().claim, memoryBytes: 96 * MIB };
  await runtime.prepare(key, aWork({ program: { kind: "entrypoint", command } }, { claim }), aFence(1));
  await runtime.start(key, listener);
  return key;
}

async function exitOf(key: WorkloadKey): Promise<WorkloadExit | undefined> {
  for (let i = 0; i < 2_000 && !exits.has(workloadName(key)); i++) await Bun.sleep(50);
  return exits.get(workloadName(key));
}

async function outputOf(runtime: ProcessRuntime, key: WorkloadKey): Promise<string> {
  const request = { requestId: "", ...key, streams: ["stdout"] as const, offset: 0, length: 0, tailLines: 0 };
  let text = "";
  for await (const piece of runtime.readLogs({ ...request, isFollowing: false }, AbortSignal.timeout(60_000))) {
    text += new TextDecoder().decode(piece.data);
  }
  return text;
}

async function limits(): Promise<object> {
  const { runtime, parent } = await open("/var/lib/harness", 24);
  const bystander = await start(runtime, 1, "sleep 900");
  const scope = (key: WorkloadKey, file: string) =>
    readFileSync(join(parent.path, `alloc-${workloadName(key)}`, file), "utf8").trim();
  const files = ["memory.max", "pids.max", "cpu.max", "memory.oom.group"].map((file) => scope(bystander, file));
  const hungry = await start(runtime, 2, `sleep 899 & perl -e '$x = "x" x 400_000_000'; echo survived`);
  const hungryExit = await exitOf(hungry);
  await runtime.kill(hungry);
  const bomb = "i=0; while [ $i -lt 60 ]; do sleep 898 & i=$((i+1)); done 2>/dev/null; echo $i";
  const forking = await start(runtime, 3, `(${bomb}); echo children $(grep -c . /proc/self/task/*/children)`);
  while (scope(forking, "pids.events") === "max 0") await Bun.sleep(50);
  const forked = Number(scope(forking, "pids.current"));
  await runtime.kill(forking);
  const isBystanderAlive = scope(bystander, "pids.current") !== "0" && !exits.has(workloadName(bystander));
  await runtime.kill(bystander);
  const left = Bun.spawnSync(["pgrep", "-c", "sleep"]).stdout.toString().trim();
  return {
    controllers: parent.controllers,
    files,
    hungryExit,
    hungryOutput: await outputOf(runtime, hungry),
    forked,
    isBystanderAlive,
    left,
  };
}

async function serve(stateDir: string): Promise<object> {
  const { runtime, recovered } = await open(stateDir);
  if (recovered.length > 0) {
    const key = aKey(1);
    const exit = await exitOf(key);
    return { state: recovered[0]?.state, exit, output: await outputOf(runtime, key) };
  }
  await start(runtime, 1, "echo one; sleep 20; echo two; exit 5");
  await Bun.sleep(3_600_000);
  return {};
}

const [mode, folder] = process.argv.slice(2);
const findings = mode === "serve" ? await serve(folder ?? "") : await limits();
process.stdout.write(`FINDINGS ${mode} ${JSON.stringify(findings)}\n`);
process.exit(0);
