/**
 * Shows that the metric catalogue is the truth: whatever is told stands in it (the types
 * see to that), whatever stands in it is told, the names keep the rules of Prometheus, and
 * alerts ask for nothing else.
 */
import { expect, test } from "bun:test";
import { METRICS, type MetricSpec } from "../../src/ports/metrics.ts";
import { files, SRC } from "./sources.ts";

const ALL: readonly (readonly [string, MetricSpec])[] = Object.entries(METRICS);
/** The time series of a metric, as queries name them. */
const SERIES = new Set(
  ALL.flatMap(([name, { kind }]) =>
    kind === "histogram" ? ["", "_bucket", "_sum", "_count"].map((end) => name + end) : [name],
  ),
);

test("every metric of the catalogue is told somewhere", () => {
  const text = SRC.filter(({ path }) => path !== "src/ports/metrics.ts")
    .map((file) => file.text)
    .join("\n");
  expect(ALL.map(([name]) => name).filter((name) => !text.includes(`"${name}"`))).toEqual([]);
});

test("no metric is written by hand", () => {
  const pattern = /# (?:TYPE|HELP) /;
  expect(SRC.filter(({ text }) => pattern.test(text)).map(({ path }) => path)).toEqual([]);
});

test("names and help keep the rules: counters end with _total, durations with _seconds, help is a sentence", () => {
  for (const [name, { kind, help, buckets }] of ALL) {
    expect(name).toMatch(/^(?:lattice|process)_[a-z0-9_]+$/);
    expect(name.endsWith("_total")).toBe(kind === "counter");
    if (kind === "histogram") expect(name).toEndWith("_seconds");
    expect(kind === "histogram").toBe(buckets !== undefined);
    expect(help).toMatch(/^[A-Z0-9].*\.$/);
  }
});

test("labels are from a short list: none takes a value that a caller or the size of the cluster chooses", () => {
  const labels = new Set(ALL.flatMap(([, spec]) => spec.labels));
  const bounded = ["version", "commit", "face", "operation", "code", "stream_type", "role", "member", "command"];
  expect([...labels].toSorted()).toEqual([...bounded, "state", "vcluster", "result", "stage", "cause", "step"].sort());
});

test("every series that an alert or a dashboard asks for exists", () => {
  const rules = files("infra/alerting/*.yaml", "infra/grafana/dashboards/*.json");
  expect(rules.length).toBeGreaterThan(0);
  const asked = rules.flatMap(({ text }) =>
    [...text.matchAll(/\b(?:lattice|process)_[a-z0-9_]+/g)].map(([name]) => name),
  );
  expect(asked.filter((name) => !SERIES.has(name))).toEqual([]);
});
