/** Shows which lines of an SWF file become jobs, what they are made of, and what is left out. */
import { expect, test } from "bun:test";
import { readSwf } from "../../../src/replay/swf.ts";

const line = (fields: readonly number[]): string => [...fields, ...Array(18 - fields.length).fill(-1)].join("  ");

function read(text: string, coresPerNode?: number) {
  const trace = readSwf(text, coresPerNode);
  if (!trace.ok) throw new Error(trace.error.message);
  return trace.value;
}

test("a job has the processors and the time that were asked for, where the file says so", () => {
  const text = line([7, 100, 5, 60, 4, -1, -1, 8, 120, -1, 1, 3, 2]);
  expect(read(text).jobs).toEqual([
    {
      name: "7",
      submittedAt: 100_000,
      runMs: 60_000,
      walltimeMs: 120_000,
      nodes: 8,
      user: "u3",
      tenant: "g2",
    } as never,
  ]);
});

test("without them it has those that were used, and no walltime", () => {
  const [job] = read(line([7, 100, 5, 60, 4])).jobs;
  expect(job).toMatchObject({ nodes: 4, walltimeMs: 0, user: "", tenant: "" });
});

test("processors become nodes, as many as are needed to have them", () => {
  expect(read(line([1, 0, -1, 10, 33]), 16).jobs[0]?.nodes).toBe(3);
});

test("comments are the header, and the first word on a key stands", () => {
  const { header, jobs } = read(`; MaxNodes: 256\n;MaxNodes: 1\n; a remark\n\n${line([1, 0, -1, 10, 1])}`);
  expect([header.MaxNodes, jobs.length]).toEqual(["256", 1]);
});

test("what never ran is left out and counted", () => {
  const lines = [line([1, 0, -1, 0, 1]), line([2, 0, -1, -1, 1]), line([3, 0, -1, 9, -1]), line([4, -1, -1, 9, 1])];
  expect(read(lines.join("\n")).skipped).toEqual({ "no run time": 2, "no processors": 1, "no submit time": 1 });
});

test("jobs come in the order of submission, equal times in that of the file", () => {
  const text = [line([1, 50, -1, 9, 1]), line([2, 10, -1, 9, 1]), line([3, 10, -1, 9, 1])].join("\r\n");
  expect(read(text).jobs.map(({ name }) => name)).toEqual(["2", "3", "1"]);
});

test("a line that is no job is an error that names it", () => {
  const bad = readSwf(`; x\n${line([1, 0, -1, 10, 1])}\nhello world`);
  expect(bad.ok ? undefined : bad.error.message).toBe("line 3 is no job in SWF: hello world");
});
