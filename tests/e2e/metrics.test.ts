/**
 * Shows that the built server and agent tell what really happened to a job: that it was
 * asked for, started and ended, and who is connected to whom.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Cluster, until } from "./cluster.ts";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.startAgent("n1");
});

afterAll(() => cluster.stop());

/** Returns the figures at `url`, by series. */
async function figures(url: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).toEndWith("# EOF\n");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

async function agentUrl(): Promise<string> {
  const address = /"address":"([^"]+)"/.exec(await cluster.log("n1"))?.[1];
  return `http://${address}`;
}

test("server and agent tell of a job from its request to its end", async () => {
  await cluster.reaches(await cluster.submit({ entrypoint: "true" }), "completed");
  const server = await figures(cluster.url);
  expect(server.get("lattice_raft_leader")).toBe(1);
  expect(server.get("lattice_agents_connected")).toBe(1);
  expect(server.get('lattice_nodes{state="ready"}')).toBe(1);
  expect(server.get('lattice_allocations_ended_total{state="completed"}')).toBe(1);
  expect(server.get('lattice_scheduling_proposals_total{result="accepted"}')).toBe(1);
  expect(server.get('lattice_api_requests_total{face="rest",operation="allocation.submit",code="ok"}')).toBe(1);
  expect(server.get('lattice_api_requests_total{face="rpc",operation="agent.connect",code="ok"}')).toBe(1);
  expect(server.get("lattice_agent_silence_max_seconds")).toBeLessThan(30);
  const agent = await figures(await agentUrl());
  expect(agent.get("lattice_agent_connected")).toBe(1);
  expect(agent.get("lattice_agent_allocation_startup_seconds_count")).toBe(1);
  expect(agent.get('lattice_agent_workloads_ended_total{cause="exited"}')).toBe(1);
  expect(agent.get("lattice_node_cpu_cores")).toBeGreaterThan(0);
});

test("an agent whose server is gone tells so", async () => {
  const url = await agentUrl();
  await cluster.killServer();
  await until("the agent has noticed", async () => (await figures(url)).get("lattice_agent_connected") === 0);
});
