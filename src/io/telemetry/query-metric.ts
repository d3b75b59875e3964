/**
 * Reads metrics of services from VictoriaMetrics or Prometheus, through their query API. A
 * name alone asks for the mean over the series of the allocation; in an expression
 * `$allocation`, `$name` and `$tenant` stand for those of the service.
 */
import type { MetricQuestion, ServiceMetrics } from "../../ports/service-metrics.ts";

const TIMEOUT_MS = 5_000;
const NAME = /^[A-Za-z_:][A-Za-z0-9_:]*$/;

/** Returns the metrics that the database at `endpoint` has. */
export const queryMetrics = (endpoint: string): ServiceMetrics => ({
  async read(question) {
    const url = new URL(`${endpoint.replace(/\/$/, "")}/api/v1/query`);
    url.searchParams.set("query", expressionOf(question));
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok)
      throw new Error(`${endpoint} answers ${response.status}: ${(await response.text()).slice(0, 200)}`);
    return firstValue(await response.json());
  },
});

/** Returns the expression that a metric stands for. */
export function expressionOf({ metric, allocation, name, tenant }: MetricQuestion): string {
  if (NAME.test(metric)) return `avg(${metric}{allocation_id=${JSON.stringify(allocation)}})`;
  const values: Readonly<Record<string, string>> = { allocation, name, tenant };
  return metric.replace(/\$(allocation|name|tenant)\b/g, (whole, word: string) => escaped(values[word] ?? whole));
}

const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Returns the value of the first sample of an answer, which is a vector or a scalar. */
export function firstValue(answer: unknown): number | undefined {
  const result = fieldOf(fieldOf(answer, "data"), "result");
  const sample = Array.isArray(result) && typeof result[0] === "object" ? fieldOf(result[0], "value") : result;
  const value = Array.isArray(sample) ? Number(sample[1]) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

function fieldOf(record: unknown, name: string): unknown {
  return typeof record === "object" && record !== null
    ? Object.entries(record).find(([key]) => key === name)?.[1]
    : undefined;
}
