/** Shows which records of sacct become jobs, in whatever order its fields come, and what is wrong with those that do not. */
import { expect, test } from "bun:test";
import { readSacct } from "../../../src/replay/sacct.ts";

const TITLES = "JobID|User|Account|Submit|ElapsedRaw|TimelimitRaw|NNodes|State";

function read(...lines: readonly string[]) {
  const trace = readSacct(lines.join("\n"));
  if (!trace.ok) throw new Error(trace.error.message);
  return trace.value;
}

function problemOf(...lines: readonly string[]): string | undefined {
  const trace = readSacct(lines.join("\n"));
  return trace.ok ? undefined : trace.error.message;
}

test("a record is a job, with its limit as the walltime", () => {
  const { jobs } = read(TITLES, "17|ada|lab|2026-01-02T03:04:05|90|30|4|COMPLETED");
  expect(jobs.map((job) => ({ ...job }))).toEqual([
    {
      name: "17",
      submittedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
      runMs: 90_000,
      walltimeMs: 1_800_000,
      nodes: 4,
      user: "ada",
      tenant: "lab",
    },
  ] as never);
});

test("fields may come in any order, and times as people read them", () => {
  const { jobs } = read("NNodes|Submit|Elapsed|Timelimit|JobID", "2|2026-01-01T00:00:00|1-02:03:04|UNLIMITED|9_4");
  expect(jobs[0]).toMatchObject({ name: "9_4", nodes: 2, runMs: ((26 * 60 + 3) * 60 + 4) * 1_000, walltimeMs: 0 });
});

test("steps, and jobs that never ran, are left out and counted", () => {
  const lines = ["1.batch|||2026-01-01T00:00:00|9||1|", "2|a|b|2026-01-01T00:00:00|0|5|1|CANCELLED by 7", ""];
  expect(read(TITLES, ...lines).skipped).toEqual({ "step of a job": 1, "no run time": 1 });
});

test("a file that lacks a field, or a line that makes no sense, is an error that says so", () => {
  expect(problemOf("JobID|Submit|NNodes")).toBe("the title line has no ElapsedRaw");
  expect(problemOf("hello")).toBe("the title line has no JobID");
  expect(problemOf(TITLES, "1|a|b|Unknown|5|5|1|")).toStartWith("line 2 is no record of sacct");
});
