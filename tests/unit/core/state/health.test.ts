/** Shows what silence, complaints, a wrong clock and given-up work mean for a node's health. */
import { expect, test } from "bun:test";
import type { AgentSigns } from "../../../../src/core/state/health.ts";
import { judgeHealth } from "../../../../src/core/state/health.ts";

const LIMITS = { timeoutMs: 30_000, graceMs: 120_000, clockSkewMs: 60_000, reconnectMs: 3_000 };
const WELL: AgentSigns = { silenceMs: 0, isConnected: true, clockSkewMs: 0, issues: [], staleCount: 0 };

const judge = (signs: Partial<AgentSigns>, current: "ready" | "degraded" | "down" = "ready") =>
  judgeHealth({ ...WELL, ...signs }, LIMITS, current);

test("an agent that is heard and has no complaint is ready, also after it was away", () => {
  expect(judge({})).toEqual({ health: "ready", reason: "" });
  expect(judge({}, "down")).toEqual({ health: "ready", reason: "" });
});

test("silence is degraded after the time-out and down after the grace period", () => {
  expect(judge({ silenceMs: 30_000 }).health).toBe("ready");
  expect(judge({ silenceMs: 30_001 })).toEqual({ health: "degraded", reason: "no heartbeat for more than 30 s" });
  expect(judge({ silenceMs: 150_001 })).toEqual({ health: "down", reason: "no heartbeat for more than 150 s" });
});

test("a node that is down stays so until its agent connects", () => {
  expect(judge({ isConnected: false }, "down").health).toBe("down");
});

test("an agent that was stopped gets no new work, one that just connects again is not missed", () => {
  expect(judge({ isConnected: false, silenceMs: 3_000 }).health).toBe("ready");
  expect(judge({ isConnected: false, silenceMs: 3_001 })).toEqual({
    health: "degraded",
    reason: "its agent is not connected",
  });
});

test("a wrong clock degrades, whichever way it is wrong", () => {
  expect(judge({ clockSkewMs: 3_600_000 }).reason).toBe("its clock is 3600 s ahead of the servers': set up NTP");
  expect(judge({ clockSkewMs: -90_000 })).toMatchObject({
    health: "degraded",
    reason: "its clock is 90 s behind the servers': set up NTP",
  });
});

test("a node is not ready before the work that was given up on it has ended", () => {
  expect(judge({ staleCount: 2 }, "down")).toMatchObject({
    health: "down",
    reason: "ending 2 runs that were given up",
  });
  expect(judge({ staleCount: 1 }).health).toBe("degraded");
});

test("what the agent complains of degrades its node", () => {
  expect(judge({ issues: ["disk full", "no /scratch"] })).toEqual({
    health: "degraded",
    reason: "disk full; no /scratch",
  });
});
