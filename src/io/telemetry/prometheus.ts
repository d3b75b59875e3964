/**
 * The figures of the catalogue in a prom-client registry, told in the OpenMetrics format.
 * Every metric of a program is there from the start, so that a scrape always names them all.
 */
import type { OpenMetricsContentType } from "prom-client";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Exposition, MetricName, MetricSpec, Metrics, Sample } from "../../ports/metrics.ts";
import { METRICS } from "../../ports/metrics.ts";

/** Figures that loops tell and scrapers read. */
export interface Telemetry extends Metrics, Exposition {}

type Instrument = Counter | Gauge | Histogram;
type Series = () => readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];

/** Returns empty figures for one of the programs. */
export function openTelemetry(program: "server" | "agent"): Telemetry {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const readers = new Map<string, Series>();
  const instruments = new Map<string, Instrument>();
  for (const [name, spec] of Object.entries<MetricSpec>(METRICS)) {
    if (spec.of.includes(program)) instruments.set(name, instrumentOf(name, spec, { registry, readers }));
  }
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    count(name, labels, amount = 1) {
      const counter = instruments.get(name);
      if (counter instanceof Counter) counter.inc(labels, amount);
    },
    observe(name, labels, seconds) {
      const histogram = instruments.get(name);
      if (histogram instanceof Histogram) histogram.observe(labels, seconds);
    },
    read<Name extends MetricName>(name: Name, series: () => readonly Sample<Name>[]) {
      readers.set(name, series);
    },
  };
}

interface Place {
  readonly registry: Registry<OpenMetricsContentType>;
  readonly readers: ReadonlyMap<string, Series>;
}

function instrumentOf(name: string, spec: MetricSpec, { registry, readers }: Place): Instrument {
  const { help, labels: labelNames, buckets = [] } = spec;
  const common = { name, help, labelNames, registers: [registry] };
  const samples = () => readers.get(name)?.();
  switch (spec.kind) {
    case "histogram":
      return new Histogram({ ...common, buckets: [...buckets] });
    case "counter":
      return new Counter({
        ...common,
        collect() {
          const read = samples();
          if (!read) return;
          this.reset();
          for (const { labels, value } of read) this.inc(labels, value);
        },
      });
    case "gauge":
      return new Gauge({
        ...common,
        collect() {
          this.reset();
          // What is not told has no value, which is not the same as 0.
          if (labelNames.length === 0) this.remove({});
          for (const { labels, value } of samples() ?? []) this.set(labels, value);
        },
      });
  }
}
