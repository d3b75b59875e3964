/** `rm-replay compare A B`: how the metrics of one replay differ from those of another, policy by policy. */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { Metrics } from "../../replay/metrics.ts";
import { UsageError } from "../grammar/usage-error.ts";
import type { Column } from "../render/table.ts";
import { renderTable } from "../render/table.ts";
import type { Terminal } from "../terminal.ts";

type Figure = readonly [name: string, of: (metrics: Metrics) => number, isBetter: "more" | "less"];

const FIGURES: readonly Figure[] = [
  ["utilisation", ({ utilisation }) => utilisation, "more"],
  ["mean wait, s", ({ wait_s }) => wait_s.mean, "less"],
  ["median wait, s", ({ wait_s }) => wait_s.p50, "less"],
  ["p95 wait, s", ({ wait_s }) => wait_s.p95, "less"],
  ["p99 wait, s", ({ wait_s }) => wait_s.p99, "less"],
  ["mean bounded slowdown", ({ bounded_slowdown }) => bounded_slowdown.mean, "less"],
  ["p99 bounded slowdown", ({ bounded_slowdown }) => bounded_slowdown.p99, "less"],
  ["Jain index", ({ jain_index }) => jain_index, "more"],
  ["share deviation", ({ share_deviation }) => share_deviation, "less"],
  ["idle while jobs waited", ({ fragmentation }) => fragmentation, "less"],
  ["preemptions", ({ preemptions }) => preemptions, "less"],
  ["median estimate error, s", ({ estimate_error_s }) => estimate_error_s.p50, "less"],
  ["makespan, s", ({ makespan_s }) => makespan_s, "less"],
  ["jobs not placed", ({ unplaced }) => unplaced, "less"],
];

interface Row {
  readonly policy: string;
  readonly figure: string;
  readonly before: number;
  readonly after: number;
  readonly verdict: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "POLICY", value: ({ policy }) => policy },
  { title: "FIGURE", value: ({ figure }) => figure },
  { title: "A", value: ({ before }) => shown(before), isNumber: true },
  { title: "B", value: ({ after }) => shown(after), isNumber: true },
  { title: "CHANGE", value: ({ before, after }) => change(before, after), isNumber: true },
  { title: "", value: ({ verdict }) => verdict },
];

/** Prints the comparison of two files of metrics. */
export async function compareReplays(words: readonly string[], terminal: Terminal): Promise<void> {
  const [a, b, stray] = words;
  if (a === undefined || b === undefined || stray !== undefined || words.some((word) => word.startsWith("-"))) {
    throw new UsageError("two files of metrics are to be compared", "write: rm-replay compare A.json B.json");
  }
  const [before, after] = [await readMetrics(a), await readMetrics(b)];
  const pairs = pairsOf(before, after);
  if (pairs.length === 0) throw new UsageError(`${a} and ${b} have no policy in common`);
  terminal.out(renderTable(pairs.flatMap(rowsOf), COLUMNS, terminal.columns));
}

/** Equal names; two files of one policy each are compared whatever the names. */
function pairsOf(before: readonly Metrics[], after: readonly Metrics[]): readonly (readonly [Metrics, Metrics])[] {
  const [a, b] = [before[0], after[0]];
  if (before.length === 1 && after.length === 1 && a && b) return [[a, b]];
  return before.flatMap((one) => {
    const other = after.find(({ policy }) => policy === one.policy);
    return other ? [[one, other] as const] : [];
  });
}

function rowsOf([a, b]: readonly [Metrics, Metrics]): readonly Row[] {
  const policy = a.policy === b.policy ? a.policy : `${a.policy}/${b.policy}`;
  return FIGURES.map(([figure, of, isBetter]) => {
    const [before, after] = [of(a), of(b)];
    const isMore = after > before;
    const verdict = after === before ? "" : isMore === (isBetter === "more") ? "better" : "worse";
    return { policy, figure, before, after, verdict };
  });
}

const shown = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 4 : 1));

function change(before: number, after: number): string {
  if (before === after) return "=";
  if (before === 0) return "new";
  const percent = (100 * (after - before)) / before;
  return `${percent > 0 ? "+" : ""}${percent.toFixed(1)} %`;
}

async function readMetrics(path: string): Promise<readonly Metrics[]> {
  const file = Bun.file(path);
  if (!(await file.exists())) throw new UsageError(`there is no file ${path}`);
  const wrong = new LatticeError(
    fault(
      "INVALID_SPEC",
      `${path} holds no metrics of rm-replay`,
      "give the metrics.json that rm-replay --output wrote",
    ),
  );
  let value: unknown;
  try {
    value = JSON.parse(await file.text());
  } catch {
    throw wrong;
  }
  if (!Array.isArray(value) || value.length === 0 || !value.every(isMetrics)) throw wrong;
  return value;
}

/** Whether all figures that are compared are there; the file is trusted for the rest. */
function isMetrics(value: unknown): value is Metrics {
  if (typeof value !== "object" || value === null) return false;
  const numbers = [
    ...["utilisation", "jain_index", "makespan_s", "unplaced"],
    ...["share_deviation", "fragmentation", "preemptions"],
  ] as const;
  const spreads = ["wait_s", "bounded_slowdown", "estimate_error_s"] as const;
  const record = new Map<string, unknown>(Object.entries(value));
  const isSpread = (spread: unknown): boolean =>
    typeof spread === "object" &&
    spread !== null &&
    ["mean", "p50", "p95", "p99"].every(
      (key) => typeof new Map<string, unknown>(Object.entries(spread)).get(key) === "number",
    );
  return (
    typeof record.get("policy") === "string" &&
    numbers.every((key) => typeof record.get(key) === "number") &&
    spreads.every((key) => isSpread(record.get(key)))
  );
}
