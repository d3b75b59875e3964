/** Shows what a workflow file may say, and that every mistake in it names its place. */
import { expect, test } from "bun:test";
import { UsageError } from "../../../src/cli/grammar/usage-error.ts";
import { readWorkflow } from "../../../src/cli/workflow-file.ts";

const SETTINGS = { endpoints: [], format: "table", isQuiet: false, isStale: false, timeoutMs: 1 } as const;
const read = (text: string) => readWorkflow(text, "/flows/w.yaml", SETTINGS);

test("members take every option of submit, with dashes or underscores", async () => {
  const submission = await read(`
dag_id: nightly
allocations:
  - name: a
    argv: [./run, "two words"]
    nodes: 2-4
    gpus: a100:2
    walltime_hours: 1.5
    grace_period: 45
    env: { A: 1, B: "" }
    tag: [x=1, y=2]
    tenant: physics
    chdir: sub
  - name: b
    entrypoint: echo done
    depends_on: [a, { name: a, condition: any }]
`);
  expect(submission).toEqual({
    kind: "dag",
    dagId: "nightly",
    requests: [
      {
        name: "a",
        argv: ["./run", "two words"],
        nodesMin: 2,
        nodesMax: 4,
        perNode: { gpuMilli: 2000 },
        gpuType: "a100",
        walltimeMs: 5_400_000,
        gracePeriodMs: 45_000,
        env: { A: "1", B: "" },
        tags: { x: "1", y: "2" },
        tenant: "physics",
        workdir: "/flows/sub",
        dependsOn: [],
      },
      {
        name: "b",
        entrypoint: "echo done",
        tenant: "default",
        workdir: "/flows",
        dependsOn: [
          { ref: "a", condition: "success" },
          { ref: "a", condition: "any" },
        ],
      },
    ],
  });
});

const MISTAKES: readonly (readonly [file: string, message: string])[] = [
  ["allocations: []", "/flows/w.yaml: allocations is empty"],
  ["{}", "/flows/w.yaml: allocations must be a list"],
  ["- x", "/flows/w.yaml must have keys"],
  ["allocation: []", '/flows/w.yaml: unknown key "allocation"'],
  ["allocations: [{ entrypoint: x }]", "/flows/w.yaml: allocations[0]: name must be text"],
  ["allocations: [{ name: a }]", "/flows/w.yaml: a: give one of script, entrypoint, argv"],
  ["allocations: [{ name: a, entrypoint: x, argv: [y] }]", "/flows/w.yaml: a: give one of script, entrypoint, argv"],
  ["allocations: [{ name: a, script: no.sh }]", "/flows/w.yaml: a: script no.sh cannot be read"],
  [
    "allocations: [{ name: a, entrypoint: x, nodes: many }]",
    '/flows/w.yaml: a: nodes: "many" is not a number of nodes: write 4 or 2-4',
  ],
  [
    "allocations: [{ name: a, entrypoint: x, walltime_hours: -1 }]",
    "/flows/w.yaml: a: walltime_hours is not a number above 0",
  ],
  [
    "allocations: [{ name: a, entrypoint: x, depends_on: [{ nam: b }] }]",
    '/flows/w.yaml: a: depends_on: unknown key "nam"',
  ],
  [
    "{ allocations: [{ name: a, entrypoint: x }], edges: [{ from: a, to: b }] }",
    "/flows/w.yaml: edges[0]: no allocation is named b",
  ],
];

test("a mistake is told with its place", async () => {
  for (const [file, message] of MISTAKES) {
    const failure = await read(file).then(
      () => "nothing",
      (error: unknown) => (error instanceof UsageError ? error.message : error),
    );
    expect(failure).toBe(message);
  }
});

test("text that is no YAML is told with its line", async () => {
  const failure = await read("allocations: [").catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(UsageError);
  expect(String(failure)).toMatch(/line \d/);
});
