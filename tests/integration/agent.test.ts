/**
 * The agent program against a scripted server over real gRPC: it runs what it is told,
 * survives its own death and the server's, and leaves nothing behind. Real processes;
 * nothing is timed more finely than the events themselves.
 */
import { afterAll, afterEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { millis } from "../../src/base/brand.ts";
import { FakeHub } from "../fixtures/fake-hub.ts";
import { aKey, anAssignment, aWork } from "../fixtures/works.ts";

const RUN = { kind: "run" } as const;
const STOP = { kind: "stop", reason: "cancelled" } as const;
const BIN = join(import.meta.dir, "../../src/bin/lattice-agent.ts");

interface Agent {
  readonly process: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly log: () => Promise<string>;
}

const agents: Agent[] = [];
const hubs: FakeHub[] = [];
const folders: string[] = [];

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "agent-"));
  chmodSync(folder, 0o777);
  folders.push(folder);
  return folder;
}

async function makeHub(options?: ConstructorParameters<typeof FakeHub>[0]) {
  const hub = new FakeHub(options);
  hubs.push(hub);
  return { hub, endpoint: await hub.listen() };
}

function startAgent(stateDir: string, endpoint: string): Agent {
  const flags = ["--node-id", "n1", "--state-dir", stateDir, "--quorum-endpoint", endpoint];
  const command = ["bun", BIN, ...flags, "--grpc-addr", "127.0.0.1:0", "--allow-root"];
  const child = Bun.spawn(command, {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    env: { ...process.env, LATTICE_AGENT_TOKEN: "secret-token", BUN_BE_BUN: "1" },
  });
  const text = new Response(child.stderr).text();
  const agent = { process: child, log: () => text };
  agents.push(agent);
  return agent;
}

async function killAgent(agent: Agent): Promise<void> {
  agent.process.kill("SIGKILL");
  await agent.process.exited;
}

const runs = (n: number, command: string, changes = {}) =>
  anAssignment(aKey(n), RUN, {
    work: aWork({ program: { kind: "entrypoint", command }, env: { TEST_FOLDER: folders.at(-1) ?? "" }, ...changes }),
  });

const logsOf = (n: number) => ({
  ...aKey(n),
  streams: ["stdout", "stderr"] as const,
  offset: 0,
  length: 0,
  isFollowing: false,
  tailLines: 0,
});

/** A duration of sleep that no other process sleeps: it names a process in the process table. */
const nap = (n: number): string => `${process.pid}${String(n).padStart(2, "0")}`;

/** Kills what the killed agents of a test left running, which is what agents are for. */
function killWorkloads(): void {
  for (const name of new Bun.Glob("[0-9]*").scanSync({ cwd: "/proc", onlyFiles: false })) {
    try {
      const isOurs = folders.some((folder) => readFileSync(`/proc/${name}/environ`, "latin1").includes(folder));
      if (isOurs) process.kill(Number(name), "SIGKILL");
    } catch {
      // It has gone.
    }
  }
}

/** Returns whether a process sleeps for a duration that begins so. */
async function isRunning(duration: string): Promise<boolean> {
  for (const name of new Bun.Glob("[0-9]*").scanSync({ cwd: "/proc", onlyFiles: false })) {
    try {
      if (readFileSync(`/proc/${name}/cmdline`, "latin1").includes(`sleep\0${duration}`)) return true;
    } catch {
      // It has gone.
    }
  }
  return false;
}

afterEach(async () => {
  for (const agent of agents.splice(0)) {
    agent.process.kill("SIGKILL");
    await agent.process.exited;
  }
  killWorkloads();
  for (const hub of hubs.splice(0)) await hub.stop();
});

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

test("work is prepared, run, reported and its output read back", async () => {
  const { hub, endpoint } = await makeHub();
  startAgent(makeFolder(), endpoint);
  await hub.until(() => hub.heartbeats > 0);
  expect(hub.hellos[0]?.registration.nodeId).toBe("n1" as never);
  expect(hub.tokens[0]).toBe("Bearer secret-token");
  const work = aWork({ program: { kind: "script", text: "#!/bin/sh\necho out\necho err >&2\nexit 3\n" } });
  hub.desire([anAssignment(aKey(1), { kind: "prepare" }, { work })]);
  await hub.reported(aKey(1), "ready");
  hub.desire([anAssignment(aKey(1), RUN, { work })]);
  const report = await hub.reported(aKey(1), "ended");
  expect(report).toMatchObject({ exitCode: 3, cause: "exited" });
  expect((await hub.readLogs(logsOf(1))).text).toBe("out\nerr\n");
  hub.desire([]);
  expect((await hub.readLogs(logsOf(1))).text).toBe("out\nerr\n");
}, 20_000);

test("output goes straight to the server that waits for it, which is not the one that asks", async () => {
  const { hub, endpoint } = await makeHub();
  const { hub: reader, endpoint: readerEndpoint } = await makeHub();
  startAgent(makeFolder(), endpoint);
  await hub.until(() => hub.heartbeats > 0);
  hub.desire([runs(1, "echo out; exit 3")]);
  await hub.reported(aKey(1), "ended");
  reader.expectLogs("r1");
  expect(hub.follow({ ...logsOf(1), uploadTo: new URL(readerEndpoint).host })).toBe("r1");
  await reader.until(() => reader.seen("r1").isDone);
  expect([reader.seen("r1").text, hub.seen("r1").text]).toEqual(["out\n", ""]);
  expect(reader.tokens).toEqual([]);
}, 20_000);

test("a stopped workload leaves no process, though one ignores SIGTERM, left its session and holds the output", async () => {
  const { hub, endpoint } = await makeHub();
  startAgent(makeFolder(), endpoint);
  await hub.until(() => hub.heartbeats > 0);
  const stubborn = `setsid sh -c 'trap "" TERM; (sleep ${nap(1)} &) ; while :; do sleep ${nap(2)}; done' & trap "" TERM; wait; sleep ${nap(3)}`;
  const assignment = runs(1, stubborn, { gracePeriodMs: millis(200) });
  hub.desire([assignment]);
  await hub.reported(aKey(1), "running");
  while (!(await isRunning(nap(2)))) await Bun.sleep(20);
  hub.desire([{ ...assignment, action: STOP }]);
  expect(await hub.reported(aKey(1), "ended")).toMatchObject({ cause: "stopped", signal: 9 });
  expect(await isRunning(String(process.pid))).toBe(false);
}, 20_000);

test("walltime ends work while no server is there, and a longer limit that came before counts", async () => {
  const { hub, endpoint } = await makeHub();
  const folder = makeFolder();
  startAgent(folder, endpoint);
  await hub.until(() => hub.heartbeats > 0);
  const short = { ...runs(1, `exec sleep ${nap(4)}`), walltimeMs: millis(2_000) };
  const extended = { ...runs(2, `exec sleep ${nap(5)}`), walltimeMs: millis(2_000) };
  hub.desire([short, extended]);
  await hub.reported(aKey(2), "running");
  hub.desire([short, { ...extended, walltimeMs: millis(60_000) }]);
  while (!(await isRunning(nap(4))) || !(await isRunning(nap(5)))) await Bun.sleep(20);
  const before = hub.heartbeats;
  await hub.until(() => hub.heartbeats > before);
  await hub.stop();
  while (await isRunning(nap(4))) await Bun.sleep(20);
  expect(await isRunning(nap(5))).toBe(true);
  const port = Number(new URL(endpoint).port);
  const again = new FakeHub();
  hubs.push(again);
  await again.listen(port);
  expect(await again.reported(aKey(1), "ended")).toMatchObject({ cause: "walltime", signal: 15 });
  again.desire([], 100);
  await again.reported(aKey(2), "ended");
}, 20_000);

test("an agent that is killed and started again adopts what runs and reports what ended meanwhile", async () => {
  const { hub, endpoint } = await makeHub();
  const folder = makeFolder();
  const first = startAgent(folder, endpoint);
  await hub.until(() => hub.heartbeats > 0);
  const gate = join(folder, "gate");
  const assignments = [runs(1, `until [ -e ${gate} ]; do sleep 0.05; done; exit 41`), runs(2, `exec sleep ${nap(6)}`)];
  hub.desire(assignments);
  await hub.reported(aKey(1), "running");
  await hub.reported(aKey(2), "running");
  await killAgent(first);
  writeFileSync(gate, "");
  const exitFile = join(folder, "workloads", `${aKey(1).allocation}-1`, "exit");
  while (!existsSync(exitFile)) await Bun.sleep(20);
  startAgent(folder, endpoint);
  expect(await hub.reported(aKey(1), "ended")).toMatchObject({ exitCode: 41, cause: "exited" });
  expect(hub.hellos[1]?.registration.instanceId).toBe(hub.hellos[0]?.registration.instanceId ?? "");
  expect(hub.reports.get(`${aKey(2).allocation}-1`)?.phase).toBe("running");
  hub.desire(assignments.slice(1).map((assignment) => ({ ...assignment, action: STOP })));
  expect(await hub.reported(aKey(2), "ended")).toMatchObject({ cause: "stopped" });
}, 20_000);

test("a workload whose supervisor was killed is ended and reported as lost", async () => {
  const { hub, endpoint } = await makeHub();
  const folder = makeFolder();
  startAgent(folder, endpoint);
  await hub.until(() => hub.heartbeats > 0);
  hub.desire([runs(1, `exec sleep ${nap(7)}`)]);
  await hub.reported(aKey(1), "running");
  while (!(await isRunning(nap(7)))) await Bun.sleep(20);
  const claim = readFileSync(join(folder, "workloads", `${aKey(1).allocation}-1`, "claim-1"), "utf8");
  process.kill(Number.parseInt(claim, 10), "SIGKILL");
  expect(await hub.reported(aKey(1), "ended")).toMatchObject({ cause: "supervisor_lost" });
  expect(await isRunning(nap(7))).toBe(false);
}, 20_000);

test("work that no set names is ended, and a set older than one obeyed is ignored", async () => {
  const { hub, endpoint } = await makeHub();
  startAgent(makeFolder(), endpoint);
  await hub.until(() => hub.heartbeats > 0);
  hub.desire([runs(1, `exec sleep ${nap(8)}`)], 10);
  await hub.reported(aKey(1), "running");
  hub.desire([], 9);
  hub.desire([runs(1, `exec sleep ${nap(8)}`), runs(2, "true")], 11);
  await hub.reported(aKey(2), "ended");
  expect(hub.reports.get(`${aKey(1).allocation}-1`)?.phase).toBe("running");
  hub.desire([], 12);
  expect(await hub.reported(aKey(1), "ended")).toMatchObject({ cause: "lost" });
}, 20_000);

test("without a server for the grace, work of isolation stop ends and other work goes on", async () => {
  const { hub, endpoint } = await makeHub({ isolationGraceMs: 1_500 });
  startAgent(makeFolder(), endpoint);
  await hub.until(() => hub.heartbeats > 0);
  hub.desire([runs(1, `exec sleep ${nap(9)}`, { isolation: "stop" }), runs(2, `exec sleep ${nap(10)}`)]);
  await hub.reported(aKey(1), "running");
  await hub.reported(aKey(2), "running");
  while (!(await isRunning(nap(9)))) await Bun.sleep(20);
  hub.answers = false;
  hub.commits = false;
  while (await isRunning(nap(9))) await Bun.sleep(20);
  expect(await isRunning(nap(10))).toBe(true);
  hub.answers = true;
  hub.commits = true;
  expect(await hub.reported(aKey(1), "ended")).toMatchObject({ cause: "isolated" });
  hub.desire([]);
  await hub.reported(aKey(2), "ended");
}, 20_000);

test("output is followed while it is written, until the reader cancels", async () => {
  const { hub, endpoint } = await makeHub();
  const folder = makeFolder();
  startAgent(folder, endpoint);
  await hub.until(() => hub.heartbeats > 0);
  const gate = join(folder, "gate");
  hub.desire([
    runs(1, `echo one; until [ -e ${gate} ]; do sleep 0.05; done; echo two`),
    runs(2, `echo x; exec sleep ${nap(11)}`),
  ]);
  await hub.reported(aKey(2), "running");
  const followed = hub.follow({ ...logsOf(1), isFollowing: true });
  const cancelled = hub.follow({ ...logsOf(2), isFollowing: true });
  await hub.until(() => hub.seen(followed).text === "one\n" && hub.seen(cancelled).text === "x\n");
  hub.cancel(cancelled);
  writeFileSync(gate, "");
  await hub.until(() => hub.seen(followed).isDone);
  expect(hub.seen(followed).text).toBe("one\ntwo\n");
  expect((await hub.readLogs({ ...logsOf(3) })).error).toContain("no output");
  hub.desire([]);
  await hub.reported(aKey(2), "ended");
}, 20_000);

test("a refused agent says why and goes on trying slowly", async () => {
  const { hub, endpoint } = await makeHub({ refusal: Code.AlreadyExists });
  const agent = startAgent(makeFolder(), endpoint);
  await hub.until(() => hub.tokens.length > 0);
  await Bun.sleep(200);
  agent.process.kill("SIGTERM");
  expect(await agent.process.exited).toBe(0);
  const log = await agent.log();
  expect(log).toContain("the server refuses this agent");
  expect(log).toContain("not you");
  expect(log).not.toContain("secret-token");
  expect(hub.tokens).toHaveLength(1);
}, 20_000);

test("one state directory serves one agent, and a port in use is said", async () => {
  const { hub, endpoint } = await makeHub();
  const folder = makeFolder();
  startAgent(folder, endpoint);
  await hub.until(() => hub.heartbeats > 0);
  const second = startAgent(folder, endpoint);
  expect(await second.process.exited).not.toBe(0);
  expect(await second.log()).toContain("another agent uses the state directory");
  const taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
  const third = Bun.spawn(
    ["bun", BIN, "--state-dir", makeFolder(), "--grpc-addr", `127.0.0.1:${taken.port}`, "--quorum-endpoint", endpoint],
    { stderr: "pipe", stdout: "ignore" },
  );
  expect(await third.exited).not.toBe(0);
  expect(await new Response(third.stderr).text()).toContain(`127.0.0.1:${taken.port} is in use`);
  await taken.stop(true);
}, 20_000);
