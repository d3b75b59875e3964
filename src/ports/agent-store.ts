/** Keeps what an agent must not forget over a restart, besides its workloads. */
import type { AgentMemory } from "../core/agent/agent.ts";

export interface AgentStore {
  /** Returns what was saved last, or undefined on a fresh node. */
  load(): Promise<AgentMemory | undefined>;
  /** Returns once a restarted agent would find it. */
  save(memory: AgentMemory): Promise<void>;
}
