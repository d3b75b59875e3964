/**
 * Shows that an operator who follows the specification's commands on bare machines (no Node, no
 * Bun) ends with a cluster that works: the script of the same name, which fails at the first
 * command that does. The short form upgrades to the same build on machines with a stand-in for
 * systemd; tests/long does it under systemd and from an older build. Says why where it cannot run.
 */
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { machineObstacle } from "./machines.ts";
import { packDist, versionOf, walkSpecification } from "./spec-walk.ts";

const obstacle = machineObstacle("bare");
if (obstacle !== undefined) console.log(`left out: following the specification: ${obstacle}`);
/** Another folder lets a long run keep its binaries while others build. */
const DIST = process.env.LATTICE_TEST_DIST ?? join(import.meta.dir, "../../../dist");

test.skipIf(obstacle !== undefined)(
  "the specification's commands make a cluster, run work, back it up, restore it and upgrade it",
  async () => {
    const packed = await packDist(DIST);
    const walk = await walkSpecification({ kind: "bare", from: packed, to: packed, version: versionOf(DIST) });
    rmSync(packed, { recursive: true });
    expect(walk.transcript.slice(-2_000)).toEndWith("=== done\n");
    expect(walk.exitCode).toBe(0);
  },
  120_000,
);
