/**
 * Sends figures to VictoriaMetrics, where telemetry.tsdb_endpoint names one, with the labels
 * that a scrape of the same program would give them. A sample that does not get through is
 * missed and not kept: the next one says what is true then.
 */
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { Exposition } from "../../ports/metrics.ts";

/** What is sent, where to, and how often. */
export interface Pushing {
  readonly exposition: Exposition;
  /** Base URL of VictoriaMetrics. */
  readonly endpoint: string;
  readonly periodMs: number;
  /** As the dashboards and alerts name it. */
  readonly job: string;
  /** HOST:PORT that a scrape would read. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const TIMEOUT_MS = 10_000;

/** Begins to send, at once and then every period, until the process ends. */
export function pushMetrics({ exposition, endpoint, periodMs, job, instance, clock, log }: Pushing): void {
  const labels = [`job=${job}`, `instance=${instance}`].map((label) => `extra_label=${encodeURIComponent(label)}`);
  const url = `${endpoint.replace(/\/+$/, "")}/api/v1/import/prometheus?${labels.join("&")}`;
  let isSending = false;
  let isFailing = false;
  const send = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    const problem = await post(url, await exposition.text()).finally(() => {
      isSending = false;
    });
    if (problem !== undefined && !isFailing) {
      const next = "is telemetry.tsdb_endpoint a VictoriaMetrics? this is said once, until it works again";
      log.warn("metrics cannot be sent", { endpoint, problem, next });
    }
    if (problem === undefined && isFailing) log.info("metrics are sent again", { endpoint });
    isFailing = problem !== undefined;
  };
  clock.every(periodMs, () => void send());
  void send();
}

/** Returns what went wrong. */
async function post(url: string, body: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { method: "POST", body, signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.ok ? undefined : `it answers with status ${response.status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
