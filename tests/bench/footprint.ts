/** What server and agent cost when idle, and how long the CLI takes to say something. */
import { readFileSync } from "node:fs";
import type { Figure } from "./figure.ts";
import { median, spread } from "./figure.ts";
import { SMALL_JOB, startWorkCluster, untilAllEnded } from "./work-cluster.ts";

const SETTLE_MS = 5_000;
const CLI_RUNS = 21;

/** Measures a cluster of one server and one agent. */
export async function footprint(): Promise<readonly Figure[]> {
  const { cluster, agentPids } = await startWorkCluster(1);
  try {
    await Bun.sleep(SETTLE_MS);
    const server = residentMebibytes(cluster.serverPid);
    const agent = residentMebibytes(agentPids[0] ?? 0);
    for (let i = 0; i < 10; i++) await cluster.submit({ ...SMALL_JOB, entrypoint: "true" });
    await untilAllEnded(cluster);
    const times: number[] = [];
    for (let i = 0; i < CLI_RUNS; i++) {
      const began = performance.now();
      const { code, stderr } = await cluster.cli("status");
      times.push(performance.now() - began);
      if (code !== 0) throw new Error(`lattice status: ${stderr}`);
    }
    return [
      { name: "server, idle", value: server, unit: "MiB resident", target: { atMost: 150 } },
      { name: "agent, idle", value: agent, unit: "MiB resident", target: { atMost: 100 } },
      { name: "lattice status", value: median(times), unit: "ms", target: { atMost: 120 }, note: spread(times) },
    ];
  } finally {
    await cluster.stop();
  }
}

function residentMebibytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) / 1_024;
}
