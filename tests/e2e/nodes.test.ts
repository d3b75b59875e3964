/** Nodes that drain, die with all they run, or are cut off: where the work goes, and what is not run twice. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Cluster, until } from "./cluster.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ isQuick: true });
  await cluster.startAgent("n1");
}, 60_000);
afterAll(() => cluster.stop());

/** A connection between agent and server that can be cut and mended. */
async function createLink(target: number) {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    const far = connect(target, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      isCut = false;
    },
    close: () => server.close(),
  };
}

test("a drained node finishes what it runs and takes nothing new; undrain gives it back", async () => {
  await cluster.startAgent("n2");
  const held = await cluster.submit({ entrypoint: "sleep 2", nodes: 2 });
  await cluster.reaches(held, "running");
  const drain = await cluster.cli("admin", "drain", "n1", "--reason=maintenance");
  expect([drain.code, drain.stdout]).toEqual([0, expect.stringContaining("n1")]);
  await cluster.nodeIs("n1", "draining");
  expect((await cluster.cli("admin", "undrain", "n1")).code).toBe(6);
  const jobs = await Promise.all([1, 2, 3].map(() => cluster.submit({ entrypoint: "true" })));
  await cluster.reaches(held, "completed");
  await cluster.nodeIs("n1", "drained");
  for (const job of jobs) expect((await cluster.reaches(job, "completed")).assigned_nodes).toEqual(["n2"]);
  expect((await cluster.cli("admin", "undrain", "n1")).code).toBe(0);
  await cluster.nodeIs("n1", "ready");
}, 60_000);

test("when a machine dies, its work is requeued by policy and runs elsewhere", async () => {
  const [requeued, lost] = [
    await cluster.submit({
      name: "again",
      entrypoint: "echo $LATTICE_ATTEMPT; test $LATTICE_ATTEMPT = 2 || sleep 300",
    }),
    await cluster.submit({ name: "once", entrypoint: "sleep 300", requeue_policy: "never" }),
  ];
  const first = await cluster.reaches(requeued, "running");
  await cluster.reaches(lost, "running");
  const node = first.assigned_nodes[0] ?? "";
  const other = node === "n1" ? "n2" : "n1";
  await cluster.post(`/api/v1/allocations/${lost}/cancel`);
  await cluster.reaches(lost, "cancelled");
  const never = await cluster.submit({ entrypoint: "sleep 300", requeue_policy: "never" });
  await cluster.reaches(never, "running");
  await cluster.killMachine(node);
  await cluster.nodeIs(node, "down");
  await cluster.post(`/api/v1/allocations/${never}/cancel`);
  const ended = await cluster.reaches(requeued, "completed");
  expect([ended.attempt, ended.assigned_nodes]).toEqual([2, [other]]);
  await cluster.startAgent(node);
}, 90_000);

test("a cut-off node's work runs again elsewhere, and its old run is ended before the node is ready", async () => {
  const link = await createLink(cluster.grpcPort);
  await cluster.killAgent("n2");
  await cluster.startAgent("n2", { endpoint: link.url });
  await cluster.cli("admin", "drain", "n1");
  await cluster.nodeIs("n1", "drained");
  const runs = join(cluster.dir, "cut-off.txt");
  const id = await cluster.submit({
    entrypoint: `echo start $LATTICE_ATTEMPT >> ${runs}; test $LATTICE_ATTEMPT = 2 || sleep 300`,
  });
  await cluster.reaches(id, "running");
  link.cut();
  await cluster.cli("admin", "undrain", "n1");
  const ended = await cluster.reaches(id, "completed");
  expect(ended.attempt).toBe(2);
  expect(readFileSync(runs, "utf8")).toBe("start 1\nstart 2\n");
  link.mend();
  await cluster.nodeIs("n2", "ready");
  link.close();
}, 90_000);

test("isolation=stop: the cut-off agent ends the work by itself before it runs elsewhere", async () => {
  const link = await createLink(cluster.grpcPort);
  await cluster.killAgent("n2");
  await cluster.startAgent("n2", { endpoint: link.url });
  await cluster.cli("admin", "drain", "n1");
  await cluster.nodeIs("n1", "drained");
  const runs = join(cluster.dir, "isolated.txt");
  const work = `echo start $LATTICE_ATTEMPT >> ${runs}; trap 'echo end $LATTICE_ATTEMPT >> ${runs}; exit' TERM; test $LATTICE_ATTEMPT = 2 || { sleep 300 & wait; }`;
  const id = await cluster.submit({ script: `#!/bin/bash\n${work}\n`, isolation: "stop", grace_period_seconds: 1 });
  await cluster.reaches(id, "running");
  link.cut();
  await cluster.cli("admin", "undrain", "n1");
  await until("it runs again", async () => readFileSync(runs, "utf8").includes("start 2"), 60_000);
  expect(readFileSync(runs, "utf8")).toBe("start 1\nend 1\nstart 2\n");
  await cluster.reaches(id, "completed");
  link.mend();
  await cluster.nodeIs("n2", "ready");
  link.close();
}, 120_000);

test("a second agent with the same node id is refused, and the first one stays", async () => {
  const rival = Bun.spawn(
    [
      join(import.meta.dir, "../../dist/lattice-agent"),
      ...["--node-id", "n1", "--quorum-endpoint", cluster.grpcUrl, "--grpc-addr", "127.0.0.1:0"],
      ...["--state-dir", join(cluster.dir, "rival")],
    ],
    { stdout: "pipe", stderr: Bun.file(join(cluster.dir, "rival.log")), env: { PATH: process.env.PATH ?? "" } },
  );
  await until("it is told why", async () => {
    const said = await Bun.file(join(cluster.dir, "rival.log")).text();
    return said.includes("n1 is in use by another agent");
  });
  rival.kill("SIGKILL");
  await rival.exited;
  await cluster.nodeIs("n1", "ready");
}, 60_000);
