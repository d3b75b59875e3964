/** What the operations of a running server work with. Made once, in bin/. */

import type { State } from "../../core/state/state.ts";
import type { Clock, Entropy } from "../../ports/clock.ts";
import type { Consensus } from "../../ports/consensus.ts";
import type { Logger } from "../../ports/log.ts";
import type { StateMirror } from "../../ports/state-mirror.ts";

export interface Server {
  readonly version: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Logger;
  readonly state: State;
  readonly mirror: StateMirror;
  readonly consensus: Consensus;
}
