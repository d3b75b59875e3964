/** What a person sees of their work: output, exit codes, and that ending it ends all of it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster, kill, pidsMentioning, until } from "./cluster.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.startAgent("n1");
}, 60_000);
afterAll(() => cluster.stop());

/** Forks twice, ignores SIGTERM, holds the output open, and writes down who it is. */
const stubborn = (marker: string) => `#!/bin/bash
trap '' TERM
( setsid bash -c 'trap "" TERM; exec -a ${marker} sleep 300' & )
( exec -a ${marker} sleep 300 & )
echo started
exec -a ${marker} sleep 300
`;

async function nothingIsLeftOf(marker: string): Promise<void> {
  await until(`no process of ${marker} is alive`, async () => (await pidsMentioning(marker)).length === 0);
}

test("a script runs with its directives, and its output comes back through the CLI", async () => {
  const script = join(cluster.dir, "hello.sh");
  writeFileSync(
    script,
    "#!/bin/bash\n#SBATCH --job-name=hello\n#SBATCH --time=1\necho out of $SLURM_JOB_NAME $SLURM_JOB_ID\necho err >&2\nexit 4\n",
  );
  const submitted = await cluster.cli("submit", "-q", script);
  const id = submitted.stdout.trim();
  expect([submitted.code, submitted.stderr]).toEqual([0, ""]);
  expect((await cluster.reaches(id, "failed")).exit_code).toBe(4);
  const logs = await cluster.cli("logs", id);
  expect(logs.stdout).toContain(`out of hello ${id}`);
}, 60_000);

test("submit --follow streams the output and gives the job's own exit code", async () => {
  const { code, stdout } = await cluster.cli(
    "submit",
    "--follow",
    "--wrap",
    "for i in 1 2 3; do echo line $i; sleep 0.1; done; exit 5",
  );
  expect(stdout).toContain("line 1\nline 2\nline 3\n");
  expect(code).toBe(5);
}, 60_000);

test("arguments after -- reach the program unsplit", async () => {
  const { stdout, code } = await cluster.cli("submit", "--follow", "--", "printf", "<%s>\\n", "a b", "", "$HOME '\"");
  expect([code, stdout]).toEqual([0, expect.stringContaining("<a b>\n<>\n<$HOME '\">\n")]);
}, 60_000);

test("cancel leaves no process alive, also not those that double-forked and ignore SIGTERM", async () => {
  const marker = `stubborn-cancel-${process.pid}`;
  const id = await cluster.submit({ script: stubborn(marker), grace_period_seconds: 1 });
  await until("it has started", async () => (await pidsMentioning(marker)).length >= 3);
  expect((await cluster.cli("cancel", id)).code).toBe(0);
  await cluster.reaches(id, "cancelled");
  await nothingIsLeftOf(marker);
}, 60_000);

test("walltime leaves no process alive, and says that it was exceeded", async () => {
  const marker = `stubborn-walltime-${process.pid}`;
  const id = await cluster.submit({ script: stubborn(marker), grace_period_seconds: 1, walltime_seconds: 2 });
  const ended = await cluster.reaches(id, "failed");
  expect(ended.message).toContain("walltime");
  await nothingIsLeftOf(marker);
}, 60_000);

test("walltime is enforced on the node while the server is gone", async () => {
  const marker = `stubborn-alone-${process.pid}`;
  const id = await cluster.submit({ script: stubborn(marker), grace_period_seconds: 1, walltime_seconds: 2 });
  await cluster.reaches(id, "running");
  await cluster.killServer();
  await nothingIsLeftOf(marker);
  await cluster.startServer();
  expect((await cluster.reaches(id, "failed")).message).toContain("walltime");
}, 60_000);

test("an array runs each task with its index", async () => {
  const out = join(cluster.dir, "array-%a.txt");
  const id = await cluster.submit({
    entrypoint: "echo $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_JOB_ID",
    array: { ranges: "1-5" },
    stdout_path: out,
  });
  await until("all tasks have ended", async () => (await cluster.allocation(id)).state === "completed");
  for (const n of [1, 2, 3, 4, 5]) expect(readFileSync(out.replace("%a", String(n)), "utf8")).toBe(`${n} of ${id}\n`);
}, 60_000);

test("a workflow runs in order, and what depends on a failure that did not come is cancelled", async () => {
  const file = join(cluster.dir, "order.txt");
  const member = (name: string, depends_on: readonly unknown[] = []) => ({
    name,
    tenant: "default",
    entrypoint: `echo ${name} >> ${file}`,
    depends_on,
  });
  const dag = await cluster.post("/api/v1/dags", {
    dag_id: "pipeline",
    allocations: [member("third"), member("first"), member("second"), member("never")],
    edges: [
      { from: "first", to: "second" },
      { from: "second", to: "third" },
      { from: "first", to: "never", condition: "failure" },
    ],
  });
  expect(dag.dag_id).toBe("pipeline");
  await until("the workflow is over", async () => {
    const { state } = (await cluster.get("/api/v1/dags/pipeline")) as { readonly state: string };
    return state === "completed";
  });
  expect(readFileSync(file, "utf8")).toBe("first\nsecond\nthird\n");
}, 60_000);

test("work whose supervisor is killed is ended and reported, not left behind", async () => {
  const marker = `orphan-${process.pid}`;
  const id = await cluster.submit({ script: stubborn(marker), grace_period_seconds: 1, requeue_policy: "never" });
  await until("it has started", async () => (await pidsMentioning(marker)).length >= 3);
  const { id: uuid } = await cluster.allocation(id);
  const supervisors = await pidsMentioning(uuid);
  for (const pid of supervisors) {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    if (command.includes("supervis")) kill(pid);
  }
  await cluster.reaches(id, "failed");
  await nothingIsLeftOf(marker);
}, 60_000);
