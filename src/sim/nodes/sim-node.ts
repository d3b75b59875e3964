/** One compute node: a machine, and the real agent on it, which crashes and starts again. */

import type { AgentMemory } from "../../core/agent/agent.ts";
import { nodeId } from "../../core/domain/ids.ts";
import { AgentDriver } from "../../engine/agent/agent-driver.ts";
import type { Findings } from "../checkers/findings.ts";
import type { SimNetwork } from "../network/network.ts";
import { SILENT_LOG } from "../silent-log.ts";
import { SimProcess } from "../world/process.ts";
import type { AgentDoor } from "./sim-agent-link.ts";
import { SimAgentLink } from "./sim-agent-link.ts";
import { SimMachine } from "./sim-runtime.ts";

const GIB = 1024 ** 3;
const CAPACITY = { cpus: 4, memoryBytes: 8 * GIB, gpuMilli: 0, gpuType: "", features: [], group: 0 };

/** How long a wipe takes. */
const WIPE_MS = 400;

/** What a node is made from. */
export interface SimNodeParts {
  readonly network: SimNetwork;
  readonly number: number;
  readonly doors: () => readonly AgentDoor[];
  readonly clockRate: number;
  readonly findings: Findings;
}

export class SimNode {
  readonly process: SimProcess;
  readonly machine: SimMachine;
  readonly #parts: SimNodeParts;
  #memory: AgentMemory | undefined;

  constructor(parts: SimNodeParts) {
    this.#parts = parts;
    this.process = new SimProcess(parts.network.world, `n${parts.number}`, parts.clockRate);
    this.machine = new SimMachine(this.process, parts.findings);
  }

  start(): void {
    const { network, number, doors } = this.#parts;
    this.process.begin();
    const id = nodeId(`node${number}`);
    const driver = new AgentDriver({
      registration: {
        nodeId: id,
        instanceId: `instance-${number}`,
        agentVersion: "sim",
        address: `node${number}:50052`,
        capacity: CAPACITY,
      },
      clock: this.process.clock,
      log: SILENT_LOG,
      runtime: this.machine.runtime(),
      store: {
        load: async () => this.#memory,
        save: async (memory) => {
          this.#memory = memory;
        },
      },
      link: new SimAgentLink({ network, process: this.process, doors }),
      wipe: { run: () => new Promise((resolve) => this.process.clock.after(WIPE_MS, resolve)) },
    });
    void driver.start();
  }

  crash(): void {
    this.process.crash();
    this.machine.detach();
  }
}
