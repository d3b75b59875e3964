/**
 * What is started in numbers, with built binaries: a range of nodes takes what is there, an
 * array runs no more tasks at once than it may, and a workflow goes on as its members end.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "./cluster.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.startAgent("n1");
  await cluster.startAgent("n2");
}, 60_000);
afterAll(() => cluster.stop());

const file = (name: string): string => join(cluster.dir, `${name}.txt`);
const linesOf = (name: string): readonly string[] =>
  existsSync(file(name)) ? readFileSync(file(name), "utf8").trimEnd().split("\n") : [];

const submitted = async (...flags: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await cluster.cli("submit", "-q", ...flags);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout.trim();
};

test("a range of nodes starts with as many as are free, from the least up to the most", async () => {
  const all = await submitted("--nodes", "1-4", "--wrap", 'echo "on $LATTICE_NNODES"; sleep 0.2');
  expect((await cluster.reaches(all, "completed")).assigned_nodes).toEqual(["n1", "n2"]);
  expect((await cluster.cli("logs", all)).stdout).toContain("on 2");
  const one = await submitted("--nodes", "1", "--wrap", "sleep 2");
  await cluster.reaches(one, "running");
  const rest = await submitted("--nodes", "1-4", "--wrap", "true");
  const some = await cluster.reaches(rest, "completed");
  expect(some.assigned_nodes).toHaveLength(1);
  await cluster.reaches(one, "completed");
}, 60_000);

test("INV-T1 of an array with a limit no more tasks run at once, and all of them run", async () => {
  const task = `echo "+$LATTICE_TASK_INDEX" >> ${file("array")}; sleep 0.15; echo "-$LATTICE_TASK_INDEX" >> ${file("array")}`;
  const array = await submitted("--task-group", "0-5%1", "--wrap", task);
  await cluster.reaches(array, "completed");
  let running = 0;
  for (const line of linesOf("array")) {
    running += line.startsWith("+") ? 1 : -1;
    expect(running).toBeLessThanOrEqual(1);
  }
  expect(linesOf("array").filter((line) => line.startsWith("+"))).toHaveLength(6);
}, 60_000);

test("a workflow goes on as its members end: by success, by failure, in any case", async () => {
  const path = join(cluster.dir, "flow.yaml");
  const member = (name: string, command: string, ...after: readonly string[]) =>
    [
      `  - name: ${name}`,
      `    entrypoint: ${JSON.stringify(command)}`,
      ...(after.length > 0 ? ["    depends_on:"] : []),
      ...after.map((text) => `      - { name: ${text.split(":")[0]}, condition: ${text.split(":")[1]} }`),
    ].join("\n");
  const note = (name: string) => `echo ${name} >> ${file("flow")}`;
  writeFileSync(
    path,
    [
      "allocations:",
      member("first", note("first")),
      member("fails", `${note("fails")}; exit 3`, "first:success"),
      member("never", note("never"), "fails:success"),
      member("mends", note("mends"), "fails:failure"),
      member("last", note("last"), "never:any", "mends:any"),
    ].join("\n"),
  );
  const { code, stdout, stderr } = await cluster.cli("dag", "submit", "-o", "json", path);
  expect([code, stderr]).toEqual([0, ""]);
  const dag = String(JSON.parse(stdout).dag_id ?? JSON.parse(stdout).dagId);
  const listed = async () => {
    const all = (await cluster.get(`/api/v1/allocations?dag_id=${dag}`)) as readonly { name: string; state: string }[];
    return Object.fromEntries(all.map(({ name, state }) => [name, state]));
  };
  for (let state = await listed(); !["completed", "cancelled"].includes(String(state.last)); state = await listed()) {
    await Bun.sleep(50);
  }
  expect(await listed()).toEqual({
    first: "completed",
    fails: "failed",
    never: "cancelled",
    mends: "completed",
    last: "completed",
  });
  expect(linesOf("flow")).toEqual(["first", "fails", "mends", "last"]);
}, 60_000);
