/** Where the metrics of services are read. Real: io/telemetry/query-metric.ts. */

/** What is to be measured of a service. */
export interface MetricQuestion {
  /** A metric's name, or an expression of the time series database. */
  readonly metric: string;
  readonly allocation: string;
  readonly name: string;
  readonly tenant: string;
}

export interface ServiceMetrics {
  /** Returns the present value; undefined where there is none. @throws Error when the database does not answer. */
  read(question: MetricQuestion): Promise<number | undefined>;
}
