/** What the heartbeats of a node mean: a function of silence, complaints and clocks. */
import type { NodeHealth } from "../domain/node.ts";

/** What a server knows of an agent that the log does not. */
export interface AgentSigns {
  /** Since the last word of the agent, or since this server began to listen. */
  readonly silenceMs: number;
  readonly isConnected: boolean;
  /** Agent's clock less the server's. */
  readonly clockSkewMs: number;
  readonly issues: readonly string[];
  /** Runs that should not be on the node and are not yet over. */
  readonly staleCount: number;
}

/** How long silence and how far apart clocks may be. */
export interface HealthLimits {
  readonly timeoutMs: number;
  readonly graceMs: number;
  readonly clockSkewMs: number;
  /** How long an agent may take to connect again before its node is given nothing new. */
  readonly reconnectMs: number;
}

/** The health that follows, and why. */
export interface HealthVerdict {
  readonly health: NodeHealth;
  readonly reason: string;
}

/** Returns the health of a node whose agent gives these signs. */
export function judgeHealth(signs: AgentSigns, limits: HealthLimits, current: NodeHealth): HealthVerdict {
  const { silenceMs } = signs;
  const { timeoutMs, graceMs } = limits;
  if (silenceMs > timeoutMs + graceMs || (current === "down" && !signs.isConnected)) {
    return { health: "down", reason: `no heartbeat for more than ${Math.round((timeoutMs + graceMs) / 1000)} s` };
  }
  if (silenceMs > timeoutMs) {
    return { health: "degraded", reason: `no heartbeat for more than ${Math.round(timeoutMs / 1000)} s` };
  }
  if (!signs.isConnected && silenceMs > limits.reconnectMs) {
    return { health: "degraded", reason: "its agent is not connected" };
  }
  if (signs.staleCount > 0) {
    const health = current === "down" ? "down" : "degraded";
    return { health, reason: `ending ${signs.staleCount} runs that were given up` };
  }
  if (Math.abs(signs.clockSkewMs) > limits.clockSkewMs) {
    const side = signs.clockSkewMs > 0 ? "ahead of" : "behind";
    const seconds = Math.round(Math.abs(signs.clockSkewMs) / 1000);
    return { health: "degraded", reason: `its clock is ${seconds} s ${side} the servers': set up NTP` };
  }
  if (signs.issues.length > 0) return { health: "degraded", reason: signs.issues.join("; ") };
  return { health: "ready", reason: "" };
}
