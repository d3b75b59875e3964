/** How large the binaries are, as installed and as downloaded, and how long each takes to start. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARIES } from "../../scripts/binaries.ts";
import { Cluster } from "../e2e/cluster.ts";
import type { Figure } from "./figure.ts";
import { median, spread } from "./figure.ts";

const DIST = join(import.meta.dir, "../../dist");
const MEBIBYTE = 1024 ** 2;
const RUNS = 11;

/** Measures what is in dist/, and a server from its start to its first answer on an empty data directory. */
export async function binaryFigures(rounds: number): Promise<readonly Figure[]> {
  const figures = Object.keys(BINARIES).flatMap((name) => [...sizes(name), started(name)]);
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) times.push(await firstReady());
  return [
    ...figures,
    { name: "lattice-server, fresh, to ready", value: median(times), unit: "ms", note: spread(times) },
  ];
}

function sizes(name: string): readonly Figure[] {
  const path = join(DIST, name);
  const packed = Bun.gzipSync(readFileSync(path), { level: 9 }).byteLength;
  return [
    { name, value: statSync(path).size / MEBIBYTE, unit: "MiB installed" },
    { name, value: packed / MEBIBYTE, unit: "MiB downloaded" },
  ];
}

function started(name: string): Figure {
  const folder = mkdtempSync(join(tmpdir(), "lattice-bench-"));
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const began = performance.now();
    const { exitCode } = Bun.spawnSync([join(DIST, name), "--help"], { cwd: folder });
    times.push(performance.now() - began);
    if (exitCode !== 0) throw new Error(`${name} --help ended with ${exitCode}`);
  }
  rmSync(folder, { recursive: true });
  return { name: `${name} --help`, value: median(times), unit: "ms", note: spread(times) };
}

async function firstReady(): Promise<number> {
  const began = performance.now();
  const cluster = await Cluster.start();
  await cluster.get("/api/v1/allocations?limit=1");
  const took = performance.now() - began;
  await cluster.stop();
  return took;
}
