/**
 * Shows from outside that an administrator's reservation keeps work away and says so, that
 * a set beginning and a deadline are obeyed, that `lattice explain` tells when work starts,
 * and that a policy changes while the server runs.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster, until } from "./cluster.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.startAgent("n1");
}, 60_000);
afterAll(() => cluster.stop());

interface ExplanationJson {
  readonly reasons: readonly { readonly code: string }[];
  readonly starts_by: string | null;
  readonly start_promised: boolean;
}

const explained = async (id: string) => (await cluster.get(`/api/v1/allocations/${id}/explain`)) as ExplanationJson;
const codesOf = async (id: string) => (await explained(id)).reasons.map(({ code }) => code);

test("a reservation keeps work off its nodes until it is deleted, and explain says until when", async () => {
  const made = await cluster.cli("admin", "reserve", "create", "cooling", "--duration", "2h", "--reason", "pumps");
  expect([made.code, made.stdout, made.stderr]).toEqual([0, "Reserved: cooling\n", ""]);
  const id = await cluster.submit({ entrypoint: "true", nodes: 1 });
  expect(await codesOf(id)).toEqual(["NODES_RESERVED"]);
  const { starts_by: by, start_promised: isPromised } = await explained(id);
  expect(Date.parse(by ?? "") - Date.now()).toBeGreaterThan(3_600_000);
  expect(isPromised).toBe(true);
  const { stdout } = await cluster.cli("explain", id);
  expect(stdout).toContain("NODES_RESERVED");
  expect(stdout).toContain("pumps");
  expect(stdout).toMatch(/Starts by\s+\S+.*promised/);
  expect((await cluster.cli("admin", "reserve", "list")).stdout).toMatch(/cooling .*all\s+nobody\s+pumps/);
  expect((await cluster.cli("admin", "reserve", "delete", "cooling")).code).toBe(0);
  await cluster.reaches(id, "completed");
  const gone = await cluster.cli("admin", "reserve", "delete", "cooling");
  expect([gone.code, gone.stderr]).toEqual([4, expect.stringContaining("there is no reservation cooling")]);
}, 60_000);

/** Moments are read to the second. */
const wholeSeconds = (fromNowMs: number): string =>
  new Date(Math.floor((Date.now() + fromNowMs) / 1_000) * 1_000).toISOString();

test("work waits for its beginning, and is cancelled when it cannot have ended by its deadline", async () => {
  const script = join(cluster.dir, "later.sh");
  writeFileSync(script, "#!/bin/bash\n#SBATCH --begin=now+2hours --time=10\ntrue\n");
  const later = (await cluster.cli("submit", "-q", script)).stdout.trim();
  expect(await codesOf(later)).toEqual(["NOT_BEFORE"]);
  const hopeless = await cluster.cli("submit", "-T", "60", "--deadline", "now+5minutes", "--wrap", "true");
  expect([hopeless.code, hopeless.stderr]).toEqual([3, expect.stringContaining("cannot have ended by its deadline")]);
  const deadline = wholeSeconds(62_000);
  const late = await cluster.submit({ entrypoint: "true", nodes: 9, walltime_seconds: 60, deadline });
  const { message } = await cluster.reaches(late, "cancelled");
  expect(message).toBe(`cancelled: it cannot have ended by its deadline ${deadline} any more`);
  const passes = wholeSeconds(3_000);
  const endless = await cluster.submit({ entrypoint: "sleep 60", nodes: 1, walltime_seconds: 0, deadline: passes });
  expect((await cluster.reaches(endless, "failed")).message).toBe(`its deadline ${passes} passed`);
  const soon = new Date(Date.now() + 1_500).toISOString();
  const begun = await cluster.submit({ entrypoint: "true", nodes: 1, begin: soon });
  const { state } = await cluster.allocation(begun);
  expect(state).toBe("pending");
  await cluster.reaches(begun, "completed");
  const wrong = await cluster.cli("submit", "--begin", "soonish", "--wrap", "true");
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('"soonish" is no moment')]);
}, 60_000);

test("a service that nothing can measure is accepted with a warning", async () => {
  const own = ["--lifecycle", "reactive", "--nodes", "8-9", "--metric", "load", "--target", "5", "--wrap", "true"];
  const { code, stderr } = await cluster.cli("submit", ...own);
  expect([code, stderr]).toEqual([0, expect.stringContaining("telemetry.tsdb_endpoint")]);
});

test("the policy is read anew at SIGHUP, and a wrong one changes nothing", async () => {
  const config = join(cluster.dir, "server.yaml");
  const sections = "quorum: {}\napi: {}\nstorage: {}\ntelemetry: {}\n";
  writeFileSync(config, `${sections}scheduling:\n  order: fcfs\n`);
  const own = await Cluster.start({ serverFlags: ["--config", config] });
  try {
    writeFileSync(config, `${sections}scheduling:\n  backfill: conservative\n`);
    process.kill(own.serverPid, "SIGHUP");
    await until("the server has read it", async () => (await own.log("server")).includes("was read anew"));
    writeFileSync(config, `${sections}scheduling:\n  backfill: all\n`);
    process.kill(own.serverPid, "SIGHUP");
    await until("the server has refused it", async () => (await own.log("server")).includes("goes on with the one"));
    expect(await own.log("server")).not.toContain('"waitsForRestart":["scheduling"]');
  } finally {
    await own.stop();
  }
}, 60_000);
