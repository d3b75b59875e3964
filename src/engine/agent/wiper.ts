/**
 * Carries out the order to wipe the node, once for each order, when no workload is left, and
 * says how it went for as long as the servers ask. A restarted agent wipes again.
 */
import { LatticeError } from "../../core/domain/errors.ts";
import type { AgentLink } from "../../ports/agent-link.ts";
import type { Logger } from "../../ports/log.ts";
import type { NodeWipe } from "../../ports/node-wipe.ts";

/** What a wiper works with. */
export interface WiperParts {
  /** Absent: this agent cannot wipe, and says so. */
  readonly wipe?: NodeWipe;
  readonly link: AgentLink;
  readonly log: Logger;
}

interface Result {
  readonly isDone: boolean;
  readonly detail: string;
}

export class Wiper {
  readonly #parts: WiperParts;
  /** The order of the latest desired set. */
  #wanted: number | undefined;
  #running: number | undefined;
  #result: (Result & { readonly wipe: number }) | undefined;

  constructor(parts: WiperParts) {
    this.#parts = parts;
  }

  /** The servers want this wipe, or none. */
  onDesired(wipe: number | undefined): void {
    this.#wanted = wipe;
  }

  /** Goes on with what is wanted, now that so many workloads are on the node. */
  consider(workloadCount: number): void {
    const wipe = this.#wanted;
    if (wipe === undefined || this.#running !== undefined) return;
    if (this.#result?.wipe === wipe) {
      this.#parts.link.send({ kind: "wiped", ...this.#result });
      // Said once for each time that it is asked for.
      this.#wanted = undefined;
    } else if (workloadCount === 0) {
      this.#running = wipe;
      void this.#run(wipe);
    }
  }

  async #run(wipe: number): Promise<void> {
    const { log } = this.#parts;
    log.info("wiping the node after sensitive work", { wipe });
    const result = await this.#attempt();
    if (result.isDone) log.info("the node is wiped", { wipe });
    else log.error("THE NODE COULD NOT BE WIPED", { wipe, detail: result.detail });
    this.#running = undefined;
    this.#result = { wipe, ...result };
    this.consider(0);
  }

  async #attempt(): Promise<Result> {
    try {
      if (!this.#parts.wipe) return { isDone: false, detail: "this agent cannot wipe its node" };
      await this.#parts.wipe.run();
      return { isDone: true, detail: "" };
    } catch (error) {
      const detail = error instanceof LatticeError ? error.fault.message : String(error);
      return { isDone: false, detail };
    }
  }
}
