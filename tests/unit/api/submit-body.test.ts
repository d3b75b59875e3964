/** Shows how a REST body becomes a submission: every field, arrays in each way of writing them, edges of workflows. */
import { expect, test } from "bun:test";
import { DAG_BODY, dagSubmissionOf, SUBMIT_BODY, submissionOf } from "../../../src/api/rest/submit-body.ts";

const post = (body: object) =>
  new Request("http://localhost/", {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
const submission = async (body: object) => submissionOf(await SUBMIT_BODY.read(post(body)));
const workflow = async (body: object) => dagSubmissionOf(await DAG_BODY.read(post(body)));

test("only what is written reaches the request", async () => {
  expect(await submission({ tenant: "t", entrypoint: "true" })).toEqual({
    submission: { kind: "single", request: { tenant: "t", entrypoint: "true" } },
    warnings: [],
  });
});

test("every field has its place", async () => {
  const { submission: of } = await submission({
    tenant: "t",
    script: "#!/bin/sh",
    argv: ["a"],
    name: "n",
    project: "p",
    vcluster: "v",
    nodes: 3,
    max_nodes: 5,
    cpus_per_node: 4,
    memory_bytes_per_node: 8,
    gpus_per_node: 1.5,
    gpu_type: "H100",
    features: ["f"],
    exclusive: true,
    tasks: 6,
    tasks_per_node: 2,
    cpus_per_task: 3,
    walltime_hours: 0.5,
    lifecycle: "unbounded",
    priority: 7,
    requeue_policy: "never",
    max_requeue: 2,
    isolation: "stop",
    grace_period_seconds: 1.5,
    run_on: "every",
    env: { A: "1" },
    workdir: "/w",
    stdout_path: "o",
    stderr_path: "e",
    image: "img:1",
    sensitive: true,
    labels: { l: "m" },
    depends_on: ["7", { ref_id: "8", condition: "any" }],
  });
  expect(of).toEqual({
    kind: "single",
    request: {
      tenant: "t",
      script: "#!/bin/sh",
      argv: ["a"],
      name: "n",
      project: "p",
      vcluster: "v",
      nodesMin: 3,
      nodesMax: 5,
      perNode: { cpus: 4, memoryBytes: 8, gpuMilli: 1500 },
      gpuType: "H100",
      features: ["f"],
      isExclusive: true,
      tasks: 6,
      tasksPerNode: 2,
      cpusPerTask: 3,
      walltimeMs: 1_800_000,
      lifecycle: "unbounded",
      preemptionClass: 7,
      requeuePolicy: "never",
      requeueMax: 2,
      isolation: "stop",
      gracePeriodMs: 1_500,
      runOn: "every",
      env: { A: "1" },
      workdir: "/w",
      stdoutPath: "o",
      stderrPath: "e",
      isSensitive: true,
      tags: { l: "m" },
      dependsOn: [
        { ref: "7", condition: "success" },
        { ref: "8", condition: "any" },
      ],
      extra: { environment: { images: [{ spec: "img:1", imageType: "oci" }] } },
    },
  });
});

test.each([
  [{ array: "0-99%20" }, [{ start: 0, end: 99, step: 1 }], 20],
  [
    { task_group: { ranges: "1,3", max_concurrent: 4 } },
    [
      { start: 1, end: 1, step: 1 },
      { start: 3, end: 3, step: 1 },
    ],
    4,
  ],
  [
    {
      array: {
        ranges: [
          { start: 0, end: 9, step: 3 },
          { start: 20, end: 21 },
        ],
      },
    },
    [
      { start: 0, end: 9, step: 3 },
      { start: 20, end: 21, step: 1 },
    ],
    0,
  ],
])("%j is an array", async (fields, ranges, concurrentMax) => {
  const { submission: of } = await submission({ tenant: "t", entrypoint: "true", ...fields });
  expect(of).toEqual({ kind: "task-group", template: { tenant: "t", entrypoint: "true" }, ranges, concurrentMax });
});

test("an index list that is none is refused", () => {
  expect(submission({ tenant: "t", entrypoint: "true", array: "9-0" })).rejects.toThrow("not a list of array indices");
});

test("a body without a tenant or a program is incomplete", () => {
  expect(submission({ entrypoint: "true" })).rejects.toThrow("the field tenant is missing");
  expect(submission({ tenant: "t" })).rejects.toThrow("the field entrypoint is missing");
});

test("a field that nobody knows is named in a warning", async () => {
  const { warnings } = await submission({ tenant: "t", entrypoint: "true", walltime_hour: 2 });
  expect(warnings).toEqual(["the field walltime_hour is not known and was ignored"]);
});

test("an edge makes its end wait for its start, beside what the member names itself", async () => {
  const of = await workflow({
    dag_id: "d",
    tenant: "t",
    allocations: [
      { name: "a", entrypoint: "true" },
      { name: "b", entrypoint: "true", tenant: "u", depends_on: ["7"] },
    ],
    edges: [{ from: "a", to: "b", condition: "failure" }],
  });
  expect(of).toEqual({
    kind: "dag",
    dagId: "d",
    requests: [
      { tenant: "t", name: "a", entrypoint: "true", dependsOn: [] },
      {
        tenant: "u",
        name: "b",
        entrypoint: "true",
        dependsOn: [
          { ref: "7", condition: "success" },
          { ref: "a", condition: "failure" },
        ],
      },
    ],
  });
});

test("a workflow's members need a tenant, a name and a program, and edges lead to members", () => {
  const member = { name: "a", entrypoint: "true", tenant: "t" };
  expect(workflow({ allocations: [{ name: "a", entrypoint: "true" }] })).rejects.toThrow("tenant is missing");
  expect(workflow({ allocations: [{ entrypoint: "true", tenant: "t" }] })).rejects.toThrow(
    "allocations.0.name is missing",
  );
  expect(workflow({ allocations: [{ name: "a", tenant: "t" }] })).rejects.toThrow("entrypoint of member a is missing");
  expect(workflow({ allocations: [member], edges: [{ from: "a", to: "z" }] })).rejects.toThrow("leads to z");
});
