/**
 * Work of a low class makes room for work of a high class, with real processes: it is asked
 * by SIGUSR1, saves its state, and goes on later from there; also when the server, or the
 * agent, dies in the middle.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AllocationJson } from "./cluster.ts";
import { Cluster, until } from "./cluster.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ env: { LATTICE_CHECKPOINT_CHECKPOINT_TIMEOUT_SECONDS: "20" } });
  await cluster.startAgent("n1");
}, 60_000);
afterAll(() => cluster.stop());

interface Preempted extends AllocationJson {
  readonly preempted_count: number;
  readonly saved_seconds: number;
  readonly walltime_seconds: number;
}

const file = (name: string): string => join(cluster.dir, `${name}.txt`);
const linesOf = (name: string): readonly string[] =>
  existsSync(file(name)) ? readFileSync(file(name), "utf8").trimEnd().split("\n") : [];

/** Counts until it is asked to save its state, which takes a while; resumed, it says from where, and ends. */
const saving = (name: string) => `#!/bin/bash
echo "run $LATTICE_ATTEMPT resumed \${LATTICE_RESUMED:-no} restarts $LATTICE_RESTART_COUNT" >> ${file(name)}
[ -n "$LATTICE_RESUMED" ] && { echo "goes on from $(cat ${file(name)}.state)" >> ${file(name)}; exit 0; }
trap 'sleep 1; echo 42 > ${file(name)}.state; : > "$LATTICE_CHECKPOINT_MARKER"' USR1
echo ready >> ${file(name)}
while true; do sleep 0.1; done
`;

async function lowAndHigh(name: string): Promise<{ readonly low: string; readonly high: string }> {
  const low = await cluster.submit({ script: saving(name), priority: 2, walltime_seconds: 3600, name: `${name}-low` });
  await until("the work of low class waits for the signal", () => linesOf(name).includes("ready"));
  await cluster.reaches(low, "running");
  const high = await cluster.submit({ entrypoint: `echo high >> ${file(name)}`, priority: 8, name: `${name}-high` });
  return { low, high };
}

async function bothComplete(name: string, { low, high }: { readonly low: string; readonly high: string }) {
  await cluster.reaches(high, "completed");
  const ended = (await cluster.reaches(low, "completed")) as Preempted;
  expect(linesOf(name)).toEqual([
    "run 1 resumed no restarts 0",
    "ready",
    "high",
    "run 2 resumed 1 restarts 1",
    "goes on from 42",
  ]);
  expect([ended.attempt, ended.preempted_count]).toEqual([2, 1]);
  expect(ended.saved_seconds).toBeGreaterThan(0.9);
}

test("INV-P1 work of a low class saves its state for work of a high class, and goes on from there", async () => {
  const both = await lowAndHigh("plain");
  await cluster.reaches(both.low, "checkpointing");
  const explained = await cluster.cli("explain", both.high);
  expect(explained.stdout).toContain("MAKING_ROOM");
  const status = await cluster.cli("status", both.low);
  expect(status.stdout).toContain("checkpointing");
  expect(status.stdout).toContain(`makes room for ${both.high}, of class 8`);
  await bothComplete("plain", both);
}, 60_000);

test("the server is killed in the middle: nothing is lost", async () => {
  const both = await lowAndHigh("server");
  await cluster.reaches(both.low, "checkpointing");
  await cluster.killServer();
  await cluster.startServer();
  await bothComplete("server", both);
}, 60_000);

test("the agent is killed in the middle: the work may be asked again, and its state is saved", async () => {
  const both = await lowAndHigh("agent");
  await cluster.reaches(both.low, "checkpointing");
  await cluster.killAgent("n1");
  await cluster.startAgent("n1");
  await bothComplete("agent", both);
}, 60_000);

test("work that takes no SIGUSR1 is ended at once, and does all of it again", async () => {
  const entrypoint = `trap "echo term >> ${file("deaf")}; exit 1" TERM; echo run $LATTICE_ATTEMPT \${LATTICE_RESUMED:-anew} >> ${file("deaf")}; [ $LATTICE_ATTEMPT = 2 ] && exit 0; while true; do sleep 0.1; done`;
  const low = await cluster.submit({ entrypoint, priority: 1, walltime_seconds: 3600 });
  await until("it runs", () => linesOf("deaf").length === 1);
  await cluster.reaches(low, "running");
  const high = await cluster.submit({ entrypoint: "true", priority: 8 });
  await cluster.reaches(high, "completed");
  const ended = (await cluster.reaches(low, "completed")) as Preempted;
  expect(linesOf("deaf")).toEqual(["run 1 anew", "term", "run 2 anew"]);
  expect([ended.preempted_count, ended.saved_seconds]).toEqual([1, 0]);
}, 60_000);

test("work of the same class waits its turn", async () => {
  const first = await cluster.submit({ entrypoint: "sleep 1", priority: 5, walltime_seconds: 3600 });
  await cluster.reaches(first, "running");
  const second = await cluster.submit({ entrypoint: "true", priority: 5 });
  await cluster.reaches(second, "completed");
  expect(await cluster.reaches(first, "completed")).toMatchObject({ attempt: 1, preempted_count: 0 });
}, 60_000);
