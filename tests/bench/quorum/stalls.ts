/**
 * What suffers while the servers work hard: the longest time that a follower went without
 * a word of its leader, and the longest stall of each server's main loop, as the servers
 * themselves tell them. 64 clients submit, agents send heartbeats and the scheduler plans,
 * while a backup is made and a member that was away is sent a snapshot. Then the same with
 * every fsync 10 ms slower, by a library that gcc makes and the servers are preloaded with.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Figure } from "../figure.ts";
import type { LatticeQuorum } from "./lattice.ts";
import { startLattice } from "./lattice.ts";
import { appliedOf, startAgents, statusOf, submitUntil, until } from "./operations.ts";

const CLIENTS = 64;
const SLOW_FSYNC_MS = 10;
/** Entries beyond which a member that was away gets the state instead. */
const LOG_KEEPS = 10_000;
const SILENCE = "lattice_raft_leader_silence_max_seconds";
const STALL = "lattice_loop_stall_max_seconds";

/** Measures with the disk as it is, and with a slow one where gcc can make it slow. */
export async function stalls(quorum: LatticeQuorum, seconds: number): Promise<readonly Figure[]> {
  const figures = [...(await measure(quorum, seconds, "as the disk is"))];
  await quorum.close();
  const dir = mkdtempSync(join(tmpdir(), "lattice-slow-"));
  try {
    const library = makeSlow(dir);
    if (library === undefined) {
      console.log("not measured with a slow fsync: gcc is missing (apt-get install gcc libc6-dev)");
      return figures;
    }
    const env = { LD_PRELOAD: library, LATTICE_BENCH_FSYNC_MS: String(SLOW_FSYNC_MS) };
    const slow = await startLattice(env);
    try {
      figures.push(...(await measure(slow, seconds, `fsync ${SLOW_FSYNC_MS} ms slower`)));
    } finally {
      await slow.close();
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
  return figures;
}

async function measure(quorum: LatticeQuorum, seconds: number, disk: string): Promise<readonly Figure[]> {
  const agents = await startAgents(quorum);
  const leader = await quorum.leader();
  const away = (leader + 1) % 3;
  await quorum.kill(away);
  await fallBehind(quorum, leader);
  const begun = performance.now();
  const load = submitUntil(quorum, () => performance.now() > begun + seconds * 1_000, CLIENTS / 2);
  await quorum.start(away);
  const backup = fetch(`${quorum.restUrls()[leader]}/api/v1/admin/backup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const counts = await load;
  const perSecond = counts.reduce((sum, n) => sum + n, 0) / seconds;
  const made = await backup;
  if (!made.ok) throw new Error(`no backup was made: ${await made.text()}`);
  const { commit_index: commit } = await statusOf(quorum, leader);
  await until(async () => (await appliedOf(quorum, away)) >= commit);
  const tookMs = Math.round(performance.now() - begun);
  const told = await Promise.all(quorum.restUrls().map(metricsOf));
  for (const agent of agents) agent.close();
  const note = `${Math.round(perSecond)} submissions/s, all done after ${tookMs} ms; a backup and a snapshot meanwhile`;
  const roles = told.map((_, i) => (i === leader ? "leader" : i === away ? "member that came back" : "follower"));
  return told.flatMap((metrics, i): Figure[] => {
    const of = `Lattice, ${disk}: ${roles[i]}`;
    const stall = { name: `${of}: longest stall of the main loop`, value: metrics(STALL) * 1_000, unit: "ms" };
    if (i === leader) return [{ ...stall, note }];
    return [{ name: `${of}: longest silence of the leader`, value: metrics(SILENCE) * 1_000, unit: "ms" }, stall];
  });
}

/** Lets the log grow beyond what is kept for a member that is away. */
async function fallBehind(quorum: LatticeQuorum, leader: number): Promise<void> {
  const { commit_index: before } = await statusOf(quorum, leader);
  while ((await statusOf(quorum, leader)).commit_index < before + 2 * LOG_KEEPS) {
    const end = performance.now() + 1_000;
    await submitUntil(quorum, () => performance.now() > end);
  }
}

/** Returns what reads a figure of a server by its name. */
async function metricsOf(url: string): Promise<(name: string) => number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return (name) => {
    const line = text.split("\n").find((l) => l.startsWith(`${name} `));
    if (line === undefined) throw new Error(`${url} tells no ${name}`);
    return Number(line.slice(name.length));
  };
}

/** Makes the library that slows fsync down; undefined where there is no compiler. */
function makeSlow(dir: string): string | undefined {
  const gcc = Bun.which("gcc");
  if (gcc === null) return undefined;
  const library = join(dir, "slow-fsync.so");
  const source = join(import.meta.dir, "slow-fsync.c");
  const { exitCode, stderr } = Bun.spawnSync([gcc, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"]);
  if (exitCode !== 0) throw new Error(`gcc: ${stderr}`);
  return library;
}
