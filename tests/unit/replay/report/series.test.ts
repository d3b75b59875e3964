/** Shows how a replay is boiled down to what is plotted, and that the charts of equal data are equal to the byte. */
import { describe, expect, test } from "bun:test";
import { equalNodes } from "../../../../src/replay/machine.ts";
import { metricsOf } from "../../../../src/replay/metrics.ts";
import { POLICIES } from "../../../../src/replay/policies.ts";
import { barChart, ganttChart, lineChart } from "../../../../src/replay/report/charts.ts";
import { reportHtml } from "../../../../src/replay/report/report.ts";
import { busiestDay, seriesOf } from "../../../../src/replay/report/series.ts";
import { simulate } from "../../../../src/replay/simulate.ts";
import type { JobFields } from "../../../fixtures/trace.ts";
import { aTrace } from "../../../fixtures/trace.ts";

const HOUR = 3_600;
/** Two nodes: both for an hour, one for the next, and one job that waits for an hour. */
const JOBS: readonly JobFields[] = [
  { submit: 0, run: HOUR, nodes: 2, user: "ada" },
  { submit: 0, run: HOUR, nodes: 1, user: "bob" },
];
const trace = aTrace(JOBS);
const machine = equalNodes(2);
const replay = simulate(trace, machine, { policy: POLICIES.easy, estimate: "exact" });

describe("the series of a replay", () => {
  const series = seriesOf(replay, machine, { name: "easy", window: { from: 0, to: 1 } });

  test("hold means over equal spans", () => {
    const { utilisation, queue } = series;
    expect([utilisation.length, utilisation[0]?.[1], utilisation.at(-1)?.[1]]).toEqual([400, 100, 50]);
    expect([queue[0]?.[1], queue.at(-1)?.[1]]).toEqual([1, 0]);
    const sum = utilisation.reduce((all, [, value]) => all + value, 0);
    expect(sum / utilisation.length).toBeCloseTo(75, 6);
  });

  test("hold the least waits that so many do not exceed", () => {
    expect([series.waits[0], series.waits[100], series.waits[101], series.waits.at(-1)]).toEqual([
      [0, 0],
      [0, 50],
      [HOUR, 50.5],
      [HOUR, 100],
    ]);
  });

  test("show the jobs of the window, nodes side by side as one bar", () => {
    expect(series.gantt).toEqual([{ job: "1", hasOvertaken: false, from: 0, to: 1, firstNode: 0, nodes: 2 }]);
  });
});

test("a day around the longest queue is shown, or all of a shorter trace", () => {
  expect(busiestDay(replay)).toEqual({ from: 0, to: 2 });
  const late = aTrace([...JOBS, { submit: 50 * HOUR, run: HOUR, nodes: 2 }, { submit: 50 * HOUR, run: 40 * HOUR }]);
  const longer = simulate(late, machine, { policy: POLICIES.fcfs, estimate: "exact" });
  const { from, to } = busiestDay(longer);
  expect(to - from).toBeLessThanOrEqual(25);
});

describe("charts", () => {
  const line = () =>
    lineChart({ name: "hours" }, { name: "%" }, [
      {
        name: "a",
        values: [
          [0, 1],
          [2, 3],
        ],
      },
    ]);
  const bars = () => barChart(["1", "2"], { name: "hours" }, [{ name: "a", values: [1, 2] }]);
  const gantt = () => {
    const bar = { job: "1", hasOvertaken: true, from: 0, to: 1, firstNode: 0, nodes: 2 };
    return ganttChart([bar], { from: 0, to: 2 }, 4);
  };

  test.each([
    ["of lines", line],
    ["of bars", bars],
    ["of nodes over time", gantt],
  ])("%s are whole pictures, equal for equal data", (_name, draw) => {
    const svg = draw();
    expect(svg).toStartWith("<svg");
    expect(svg).toEndWith("</svg>");
    expect(draw()).toBe(svg);
    expect(svg).not.toContain("zr");
  });

  test("of different data share no names, so that their styles stay apart on one page", () => {
    const names = (svg: string) => new Set(svg.match(/c[0-9a-f]{8}-\d+/g) ?? []);
    expect(names(line()).isDisjointFrom(names(bars()))).toBe(true);
  });
});

test("the page escapes what comes from the trace and needs nothing from outside", () => {
  const context = { name: "easy", policy: POLICIES.easy, estimate: "exact" as const, trace, machine, warmUp: 0 };
  const metrics = [metricsOf(replay, context)];
  const window = { from: 0, to: 2 };
  const series = [seriesOf(replay, machine, { name: "easy", window })];
  const html = reportHtml({ title: 'of <b>"x"</b>', metrics, series, window });
  expect(html).toContain("<h1>of &lt;b&gt;&quot;x&quot;&lt;/b&gt;</h1>");
  expect(html).toContain("<td>75.00 %</td>");
  const links = html.match(/(?:src|href)="[^"]*"/g) ?? [];
  expect(links.filter((link) => !link.startsWith('href="#'))).toEqual([]);
});

test("the page opens with what the comparison comes to", () => {
  const context = { policy: POLICIES.easy, estimate: "exact" as const, trace, machine, warmUp: 0 };
  const one = metricsOf(replay, { name: "easy", ...context });
  const other: typeof one = { ...one, policy: "lattice", wait_s: { ...one.wait_s, mean: one.wait_s.mean + 60 } };
  const window = { from: 0, to: 2 };
  const opening = (metrics: readonly (typeof one)[]) =>
    reportHtml({ title: "t", metrics, series: [], window }).match(/<p>([^<]*)<\/p>/)?.[1];
  expect(opening([one])).not.toContain("Shortest");
  expect(opening([other, one])).toMatch(/Shortest mean wait: easy, [0-9.]+ \w+\.$/);
  expect(opening([other, one])).not.toContain("Most of the machine");
});
