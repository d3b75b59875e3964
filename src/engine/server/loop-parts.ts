/** What every loop of a server works with. */
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { PeerBus } from "./peers/peer-bus.ts";
import type { Replica } from "./replica.ts";
import type { Rankings } from "./scheduling/rankings.ts";
import type { ServerSettings } from "./settings.ts";

/** Shared by all loops of one server. */
export interface LoopParts {
  readonly version: string;
  /** HOST:PORT at which agents reach this server. */
  readonly advertise: string;
  readonly replica: Replica;
  readonly bus: PeerBus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: ServerSettings;
  readonly metrics: Metrics;
  readonly rankings: Rankings;
}
