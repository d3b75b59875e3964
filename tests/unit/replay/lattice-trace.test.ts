/** Shows that a history that Lattice exports is read as it was written, jobs and machine alike. */
import { expect, test } from "bun:test";
import type { HistoryEntry } from "../../../src/replay/lattice-trace.ts";
import { historyText, readHistory, readHistoryMachine } from "../../../src/replay/lattice-trace.ts";
import { equalNodes } from "../../../src/replay/machine.ts";

const entry = (fields: Partial<HistoryEntry>): HistoryEntry => ({
  id: "1",
  state: "completed",
  submit_ms: 1_000,
  start_ms: 5_000,
  end_ms: 65_000,
  walltime_ms: 120_000,
  nodes: 2,
  gpu_type: "",
  user: "ada",
  tenant: "physics",
  vcluster: "default",
  priority: 7,
  ...fields,
});

const value = <T>(read: { readonly ok: true; readonly value: T } | { readonly ok: false }): T => {
  if (!read.ok) throw new Error("it was not read");
  return read.value;
};

test("jobs come back with what they asked for and how long they ran, in the order of submission", () => {
  const later = entry({ id: "2", submit_ms: 2_000, nodes: 1, share: { cpus: 4, memory_bytes: 9, gpu_milli: 500 } });
  const text = historyText(equalNodes(3).nodes, [later, entry({}), entry({ id: "3", start_ms: 65_000 })]);
  const { jobs, skipped } = value(readHistory(text));
  expect(jobs.map(({ name }) => name)).toEqual(["1", "2"]);
  expect(jobs[0]).toMatchObject({ submittedAt: 1_000, runMs: 60_000, walltimeMs: 120_000, nodes: 2, priority: 7 });
  expect(jobs[1]).toMatchObject({ perNode: { cpus: 4, memoryBytes: 9, gpuMilli: 500 }, tenant: "physics" });
  expect(skipped).toEqual({ "it never ran": 1 });
});

test("the machine comes back, and shares its nodes where somebody held a share", () => {
  const machine = equalNodes(5, 2);
  expect(value(readHistoryMachine(historyText(machine.nodes, [entry({})])))).toEqual(machine);
  const shared = entry({ share: { cpus: 1, memory_bytes: 0, gpu_milli: 0 } });
  expect(value(readHistoryMachine(historyText(machine.nodes, [shared]))).sharesNodes).toBe(true);
});

test("equal histories are written alike, whatever the order in which they were listed", () => {
  const both = [entry({}), entry({ id: "2", submit_ms: 9 })];
  expect(historyText([], both)).toBe(historyText([], both.toReversed()));
});

test.each([
  ["no JSON", "{", "no JSON"],
  ["another format", '{"format": "swf"}', "no history"],
  ["an entry without its times", '{"format":"lattice-history-1","allocations":[{"id":"1"}]}', "allocation 1"],
])("%s is refused", (_what, text, why) => {
  expect(readHistory(text)).toMatchObject({ ok: false, error: { message: expect.stringContaining(why) } });
});
