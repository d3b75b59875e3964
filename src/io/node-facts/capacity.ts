/** What the machine has, for flags that do not say. */
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";

const GIB = 1024 ** 3;

/** Processors and memory of this machine. */
export interface MachineFacts {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** Returns the facts; a container's own memory limit counts as its machine's memory. */
export function detectMachine(): MachineFacts {
  const limits = [totalmem(), cgroupMemoryLimit()].filter((bytes) => bytes > 0);
  return { cpus: Math.max(1, availableParallelism()), memoryBytes: Math.min(...limits) };
}

/** Returns whole gibibytes as bytes. */
export const gibibytes = (count: number): number => count * GIB;

function cgroupMemoryLimit(): number {
  try {
    return Number.parseInt(readFileSync("/sys/fs/cgroup/memory.max", "utf8"), 10) || 0;
  } catch {
    return 0;
  }
}
