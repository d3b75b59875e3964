/** Shows that a JSON array of submissions becomes a trace, and that entries without what is needed are named. */
import { expect, test } from "bun:test";
import { readJobList } from "../../../src/replay/job-list.ts";

const ENTRY = { allocation_id: "a", timestamp: 5, node_count: 2, priority: 99, tenant: "lab", run_seconds: 60 };

function problemOf(value: unknown): string | undefined {
  const trace = readJobList(typeof value === "string" ? value : JSON.stringify(value));
  return trace.ok ? undefined : trace.error.message;
}

test("entries are jobs in the order of their time; the highest priority is the highest class", () => {
  const list = [ENTRY, { ...ENTRY, allocation_id: "b", timestamp: 1, priority: 3, walltime_seconds: 90, user: "ada" }];
  const trace = readJobList(JSON.stringify(list));
  if (!trace.ok) throw new Error(trace.error.message);
  expect(trace.value.jobs.map(({ name, submittedAt, priority }) => [name, submittedAt, priority])).toEqual([
    ["b", 1_000, 3],
    ["a", 5_000, 10],
  ] as never);
  expect(trace.value.jobs[0]).toMatchObject({
    runMs: 60_000,
    walltimeMs: 90_000,
    nodes: 2,
    user: "ada",
    tenant: "lab",
  });
});

test("what is missing or wrong is named with its entry", () => {
  const { run_seconds: _, ...timeless } = ENTRY;
  expect(problemOf([ENTRY, timeless])).toBe("entry 2: run_seconds is missing");
  expect(problemOf([{ ...ENTRY, node_count: 0 }])).toBe("entry 1: node_count is 0");
  expect(problemOf([{ ...ENTRY, timestamp: "now" }])).toBe('entry 1: timestamp is "now"');
  expect(problemOf([ENTRY, ENTRY])).toBe("entry 2: allocation_id a is there twice");
  expect(problemOf({})).toBe("the file is no JSON array");
  expect(problemOf("{")).toBe("the file is no JSON");
});
