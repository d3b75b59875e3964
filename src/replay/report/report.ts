/** The report of a replay: one HTML page that holds all it shows, for people who decide by it. */
import type { Metrics, WidthMetrics } from "../metrics.ts";
import type { Named } from "./charts.ts";
import { barChart, ganttChart, lineChart } from "./charts.ts";
import type { HourWindow, Point, PolicySeries } from "./series.ts";

/** What a report is made of. */
export interface ReportParts {
  readonly title: string;
  readonly metrics: readonly Metrics[];
  readonly series: readonly PolicySeries[];
  readonly window: HourWindow;
}

type Figure = readonly [title: string, value: (metrics: Metrics) => string];

const FIGURES: readonly Figure[] = [
  ["Policy", ({ policy }) => policy],
  ["Jobs", ({ jobs }) => count(jobs)],
  ["Not placed", ({ unplaced }) => count(unplaced)],
  [
    "GPUs held, mean over time",
    ({ gpu_allocated_mean: mean }) => (mean === undefined ? "-" : `${(100 * mean).toFixed(2)} %`),
  ],
  ["Groups spanned, over the fewest", ({ group_span }) => (group_span === undefined ? "-" : group_span.toFixed(3))],
  ["Utilisation", ({ utilisation }) => `${(100 * utilisation).toFixed(2)} %`],
  ["Mean wait", ({ wait_s }) => span(wait_s.mean)],
  ["Median", ({ wait_s }) => span(wait_s.p50)],
  ["95 % wait at most", ({ wait_s }) => span(wait_s.p95)],
  ["99 %", ({ wait_s }) => span(wait_s.p99)],
  ["Mean bounded slowdown", ({ bounded_slowdown }) => bounded_slowdown.mean.toFixed(1)],
  ["Backfilled", ({ backfilled }) => count(backfilled)],
  ["Longest queue", ({ queue }) => count(queue.max)],
  ["Fairness among users", ({ jain_index }) => jain_index.toFixed(3)],
  ["Deviation from equal shares", ({ share_deviation }) => `${(100 * share_deviation).toFixed(1)} %`],
  ["Idle while jobs waited", ({ fragmentation }) => `${(100 * fragmentation).toFixed(2)} %`],
  ["Preemptions", ({ preemptions }) => count(preemptions)],
  [
    "Median error of estimated starts",
    ({ estimate_error_s }) => (estimate_error_s.samples === 0 ? "-" : span(estimate_error_s.p50)),
  ],
  ["Makespan", ({ makespan_s }) => span(makespan_s)],
];

/** Returns the page. Equal parts give equal bytes. */
export function reportHtml(parts: ReportParts): string {
  const { title, metrics, series, window } = parts;
  const [first] = metrics;
  const machine = first ? `${count(first.trace.jobs)} jobs on ${count(first.machine.nodes)} nodes.` : "";
  const sections = [
    section(
      "The policies compared",
      table(metrics),
      "Bounded slowdown: wait and run over run, with no run counted as shorter than ten seconds.",
    ),
    section(
      "Utilisation over time",
      lineChart(HOURS, { name: "% of processors", max: 100 }, linesOf(series, "utilisation")),
    ),
    section(
      "Queue over time",
      lineChart(HOURS, { name: "jobs waiting" }, linesOf(series, "queue")),
      "Jobs that have been submitted and not started.",
    ),
    section(
      "Waits",
      lineChart(logAxis("seconds waited, from 1"), SHARE, positive(series, "waits")),
      "The part of the jobs that waited no longer than so: a line further up and to the left is better.",
    ),
    section(
      "Bounded slowdowns",
      lineChart(logAxis("bounded slowdown"), SHARE, positive(series, "slowdowns")),
      "How many times longer than its run a job took, from submission to end: 1 is without a wait.",
    ),
    ...byWidthSections(metrics),
    ...byTenantSections(metrics),
    ...series.map((one) => ganttSection(one, { window, nodes: first?.machine.nodes ?? 0 })),
  ];
  return page(
    title,
    [`<h1>${escaped(title)}</h1>`, `<p>${machine} ${escaped(summaryOf(metrics))}</p>`, ...sections].join("\n"),
  );
}

/** What the comparison comes to, for who reads no table: per question the policy that does best. */
function summaryOf(metrics: readonly Metrics[]): string {
  if (metrics.length < 2) return "";
  const best = (what: string, of: (one: Metrics) => number, text: (one: Metrics) => string): string => {
    const first = metrics.reduce((a, b) => (of(b) < of(a) ? b : a));
    const alike = metrics.filter((one) => of(one) === of(first)).map(({ policy }) => policy);
    return alike.length === metrics.length ? "" : `${what}: ${alike.join(" and ")}, ${text(first)}.`;
  };
  const parts = [
    best(
      "Most of the machine in use",
      ({ utilisation }) => -utilisation,
      ({ utilisation }) => `${(100 * utilisation).toFixed(1)} %`,
    ),
    best(
      "Shortest mean wait",
      ({ wait_s }) => wait_s.mean,
      ({ wait_s }) => span(wait_s.mean),
    ),
    best(
      "Fewest long waits",
      ({ wait_s }) => wait_s.p99,
      ({ wait_s }) => `99 % wait at most ${span(wait_s.p99)}`,
    ),
  ];
  return parts.filter((part) => part !== "").join(" ");
}

const HOURS = { name: "hours" };
const SHARE = { name: "% of jobs", max: 100 };
const logAxis = (name: string) => ({ name, isLog: true });

const linesOf = (series: readonly PolicySeries[], of: "utilisation" | "queue"): readonly Named<Point>[] =>
  series.map((one) => ({ name: one.name, values: one[of] }));

/** A logarithmic axis has no zero. */
const positive = (series: readonly PolicySeries[], of: "waits" | "slowdowns"): readonly Named<Point>[] =>
  series.map((one) => ({ name: one.name, values: one[of].map(([x, y]): Point => [Math.max(1, x), y]) }));

function byWidthSections(metrics: readonly Metrics[]): readonly string[] {
  const widths = metrics[0]?.by_width.map(({ nodes }) => nodes) ?? [];
  const groups = (of: (width: WidthMetrics) => number): readonly Named<number>[] =>
    metrics.map(({ policy, by_width }) => ({ name: policy, values: by_width.map(of) }));
  return [
    section(
      "By width: how long 99 % waited at most",
      barChart(
        widths,
        { name: "hours" },
        groups(({ wait_s }) => Math.round(wait_s.p99 / 36) / 100),
      ),
      "The classes are numbers of nodes.",
    ),
    section(
      "By width: mean bounded slowdown",
      barChart(
        widths,
        { name: "slowdown" },
        groups(({ bounded_slowdown }) => Math.round(bounded_slowdown.mean * 10) / 10),
      ),
    ),
  ];
}

/** Where the trace names more than one. */
function byTenantSections(metrics: readonly Metrics[]): readonly string[] {
  const tenants = metrics[0]?.by_tenant.map(({ tenant }) => tenant) ?? [];
  if (tenants.length < 2) return [];
  const groups = metrics.map(({ policy, by_tenant }) => ({
    name: policy,
    values: by_tenant.map(({ wait_s }) => Math.round(wait_s.mean / 36) / 100),
  }));
  return [section("By tenant: mean wait", barChart(tenants, { name: "hours" }, groups), "The ones that used most.")];
}

function ganttSection(
  { name, gantt, ganttLeftOut }: PolicySeries,
  { window, nodes }: { readonly window: HourWindow; readonly nodes: number },
): string {
  const note = ganttLeftOut > 0 ? `${count(ganttLeftOut)} further bars are left out.` : "";
  return section(`Hours ${window.from} to ${window.to}, ${name}`, ganttChart(gantt, window, nodes), note);
}

const section = (title: string, body: string, note = ""): string =>
  `<section>\n<h2>${escaped(title)}</h2>\n${body}\n${note === "" ? "" : `<p>${escaped(note)}</p>\n`}</section>`;

/** A policy a column: there are more figures than a page is wide. */
function table(metrics: readonly Metrics[]): string {
  const rows = FIGURES.map(([title, value], at) => {
    const cell = at === 0 ? "th" : "td";
    const values = metrics.map((one) => `<${cell}>${escaped(value(one))}</${cell}>`).join("");
    return `<tr><th>${escaped(title)}</th>${values}</tr>`;
  });
  return `<table>\n${rows.join("\n")}\n</table>`;
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h2 { margin-top: 2.5rem; font-size: 1.2rem; }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { padding: 0.3rem 0.6rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; }
</style>
</head>
<body>
${body}
</body>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (char) => ENTITIES[char] ?? char);

/** Groups of three digits, the same on every host. */
const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

const UNITS: readonly (readonly [seconds: number, name: string])[] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];

/** Returns a span in the largest unit that it fills. */
function span(seconds: number): string {
  const unit = UNITS.find(([size]) => seconds >= size);
  return unit ? `${(seconds / unit[0]).toFixed(1)} ${unit[1]}` : `${seconds.toFixed(0)} s`;
}
