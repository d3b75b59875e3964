/**
 * Shows that one piece of work can be followed through the logs: the server tells each request under
 * the id that its caller got, at level debug, and the agent each start and each end
 * under the id of the allocation, in lines of JSON. Neither tells the command.
 */
import { expect, test } from "bun:test";
import { Cluster, until } from "../cluster.ts";

const linesOf = (log: string): readonly Record<string, unknown>[] =>
  log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

test("a request is logged under its id, and work under the id of its allocation", async () => {
  const cluster = await Cluster.start({ serverFlags: ["--log-level", "debug"] });
  try {
    await cluster.startAgent("n1");
    const response = await fetch(`${cluster.url}/api/v1/allocations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ tenant: "default", entrypoint: "exit 7 # secret-word" }),
    });
    const { allocation_id: id } = await response.json();
    await cluster.reaches(String(id), "failed");
    const requestId = response.headers.get("x-request-id");
    expect(requestId).not.toBeNull();
    const told = linesOf(await cluster.log("server")).filter((line) => line.requestId === requestId);
    expect(told).toMatchObject([
      { level: "debug", message: "request answered", face: "rest", operation: "allocation.submit", code: "ok" },
    ]);
    const ofWork = async () => linesOf(await cluster.log("n1")).filter((line) => line.allocation === id);
    await until("the agent has told the end", async () => (await ofWork()).length === 2);
    expect(await ofWork()).toMatchObject([
      { level: "info", message: "work started", node: "n1", attempt: 1 },
      { level: "info", message: "work ended", node: "n1", attempt: 1, exitCode: 7 },
    ]);
    const all = (await cluster.log("server")) + (await cluster.log("n1"));
    expect(all).not.toContain("secret-word");
  } finally {
    await cluster.stop();
  }
}, 60_000);
