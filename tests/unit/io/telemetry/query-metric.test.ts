/** What is asked of the time series database, and what its answers mean; texts alone. */
import { describe, expect, test } from "bun:test";
import { expressionOf, firstValue } from "../../../../src/io/telemetry/query-metric.ts";

const asked = (metric: string) => expressionOf({ metric, allocation: "a-1", name: 'we"b', tenant: "lab" });

describe("the expression of a metric", () => {
  test("a name asks for the mean over the allocation's series", () => {
    expect(asked("gpu_utilization")).toBe('avg(gpu_utilization{allocation_id="a-1"})');
  });

  test("in an expression the names of the service are filled in, and cannot break out of their quotes", () => {
    expect(asked('sum(rate(http_requests{job="$name",t="$tenant",a="$allocation"}[1m]))')).toBe(
      'sum(rate(http_requests{job="we\\"b",t="lab",a="a-1"}[1m]))',
    );
  });
});

describe("the value of an answer", () => {
  test.each([
    ["a vector", { data: { resultType: "vector", result: [{ metric: {}, value: [1, "7.5"] }] } }, 7.5],
    ["a scalar", { data: { resultType: "scalar", result: [1, "3"] } }, 3],
    ["no series", { data: { resultType: "vector", result: [] } }, undefined],
    ["not a number", { data: { resultType: "vector", result: [{ value: [1, "NaN"] }] } }, undefined],
    ["something else", "no", undefined],
  ])("of %s", (_what, answer, expected) => {
    expect(firstValue(answer)).toBe(expected);
  });
});
