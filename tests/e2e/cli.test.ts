/**
 * Shows what the command line does where only real processes tell: it outlasts a server
 * that is killed, leaves work alone at Ctrl-C, and ends in silence when its reader goes.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Cluster, until } from "./cluster.ts";

const LATTICE = join(import.meta.dir, "../../dist/lattice");
let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.startAgent("n1");
}, 60_000);

afterAll(() => cluster.stop(), 60_000);

/** Starts `lattice` and gives what it has printed so far. */
function running(...args: readonly string[]) {
  const child = Bun.spawn([LATTICE, "--server", cluster.url, ...args], {
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env.PATH ?? "", HOME: cluster.dir },
  });
  const printed = { out: "", err: "" };
  const collect = async (stream: ReadableStream<Uint8Array>, name: "out" | "err") => {
    const decoder = new TextDecoder();
    for await (const data of stream) printed[name] += decoder.decode(data, { stream: true });
  };
  const ended = Promise.all([collect(child.stdout, "out"), collect(child.stderr, "err"), child.exited]);
  return { child, printed, code: ended.then(([, , code]) => code) };
}

test("following goes on over a killed server: no line is lost and none comes twice", async () => {
  const script = "for i in $(seq 1 30); do echo line $i; sleep 0.1; done; exit 6";
  const { printed, code } = running("submit", "--follow", "--wrap", script);
  await until("some lines have come", () => printed.out.includes("line 5"));
  await cluster.killServer();
  await Bun.sleep(500);
  await cluster.startServer();
  expect(await code).toBe(6);
  const lines = printed.out.split("\n").filter((line) => line.startsWith("line"));
  expect(lines).toEqual(Array.from({ length: 30 }, (_, i) => `line ${i + 1}`));
  expect(printed.err).toContain("waiting for the servers");
}, 60_000);

test("Ctrl-C ends the following, not the work, and says how to end that", async () => {
  const { child, printed, code } = running("submit", "--follow", "--", "sh", "-c", "echo ready; sleep 30");
  await until("the work runs", () => printed.out.includes("ready"));
  child.kill("SIGINT");
  expect(await code).toBe(130);
  const id = /Submitted allocation: (\d+)/.exec(printed.out)?.[1] ?? "";
  expect(printed.err).toBe(`allocation ${id} goes on; end it with: lattice cancel ${id}\n`);
  expect((await cluster.allocation(id)).state).toBe("running");
  expect((await cluster.cli("cancel", id)).code).toBe(0);
}, 60_000);

test("watch --until returns when the state is reached, or can no longer be", async () => {
  const id = await cluster.submit({ entrypoint: "sleep 30" });
  expect((await cluster.cli("watch", id, "--until", "running")).code).toBe(0);
  const never = running("watch", id, "--until", "suspended");
  await cluster.cli("cancel", id);
  expect(await never.code).toBe(6);
  expect(never.printed.err).toContain("is cancelled and will not be suspended");
}, 60_000);

test("a reader that goes away is no error", () => {
  const line = `"${LATTICE}" completions bash | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const shell = Bun.spawnSync(["bash", "-c", line], { env: { PATH: process.env.PATH ?? "" } });
  expect(shell.stderr.toString()).toBe("");
  expect(shell.stdout.toString().split("\n")[1]).toBe("0");
});

test("a script reads from standard input, and quiet prints what the next command takes", async () => {
  const piped = Bun.spawnSync([LATTICE, "-s", cluster.url, "submit", "-q", "-"], {
    stdin: new TextEncoder().encode("#!/bin/sh\n#SBATCH -J piped\necho from a pipe\n"),
    cwd: cluster.dir,
    env: { PATH: process.env.PATH ?? "", HOME: cluster.dir },
  });
  const id = piped.stdout.toString().trim();
  expect(id).toMatch(/^\d+$/);
  await cluster.reaches(id, "completed");
  expect((await cluster.cli("logs", id)).stdout).toBe("from a pipe\n");
  expect((await cluster.allocation(id)).name).toBe("piped");
}, 60_000);

test("data goes to programs as it is: one JSON document, or one a line", async () => {
  const id = await cluster.submit({ entrypoint: "echo $((6 * 7))" });
  await cluster.reaches(id, "completed");
  const status = JSON.parse((await cluster.cli("-o", "json", "status", id)).stdout);
  expect(status).toMatchObject({ short_id: Number(id), state: "completed", exit_code: 0 });
  const [line = ""] = (await cluster.cli("-o", "json", "logs", id)).stdout.split("\n");
  expect(Buffer.from(JSON.parse(line).data, "base64").toString()).toBe("42\n");
}, 60_000);

test("no server is told with its address and an exit code of its own", () => {
  const alone = Bun.spawnSync([LATTICE, "-s", "127.0.0.1:1", "status"], { env: {} });
  expect(alone.exitCode).toBe(8);
  expect(alone.stderr.toString()).toContain("no answer from http://127.0.0.1:1: the connection was refused");
});
