/** What the operations of a running server work with. Made once, in bin/. */

import type { AuditFiles } from "../../ports/audit-files.ts";
import type { Backups } from "../../ports/backups.ts";
import type { CertificateAuthority } from "../../ports/certificate-authority.ts";
import type { Clock, Entropy } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { Exposition, Metrics } from "../../ports/metrics.ts";
import type { AgentHub } from "./agent-hub.ts";
import type { Auditor } from "./audit/auditor.ts";
import type { Denials } from "./audit/denials.ts";
import type { PeerBus } from "./peers/peer-bus.ts";
import type { Replica } from "./replica.ts";
import type { ServerSettings } from "./settings.ts";
import type { WaitingReasons } from "./waiting-reasons.ts";
import type { WatchHub } from "./watch-hub.ts";

export interface Server {
  readonly version: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Logger;
  readonly settings: ServerSettings;
  readonly metrics: Metrics;
  /** What /metrics answers with; absent where nobody scrapes. */
  readonly exposition?: Exposition;
  readonly backups: Backups;
  /** Signs certificates of agents; absent where the servers do not. */
  readonly authority?: CertificateAuthority;
  readonly auditor: Auditor;
  readonly denials: Denials;
  /** Archives of the audit log. */
  readonly auditFiles: AuditFiles;
  readonly replica: Replica;
  readonly bus: PeerBus;
  readonly agents: AgentHub;
  readonly watches: WatchHub;
  readonly reasons: WaitingReasons;
  /** Whether it can read what reactive services are measured by. */
  readonly measuresServices: boolean;
}
