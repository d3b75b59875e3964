/**
 * The agent's rules, each as a script of inputs and the effects they must have. The core
 * is pure, so the scripts need no clock and no process.
 */
import { describe, expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import { issuesOf } from "../../../../src/core/agent/agent.ts";
import type { Assignment } from "../../../../src/core/domain/assignment.ts";
import type { RecoveredWorkload } from "../../../../src/core/domain/workload.ts";
import { AgentScript, kinds, of } from "../../../fixtures/agent-script.ts";
import { aFence, aKey, anAssignment, aWork } from "../../../fixtures/works.ts";

const PREPARE = { kind: "prepare" } as const;
const RUN = { kind: "run" } as const;
const STOP = { kind: "stop", reason: "cancelled" } as const;
const A = aKey(1);
const B = aKey(2);

describe("from assignment to end", () => {
  test("prepare stages and reports ready, run starts and reports running", () => {
    const script = new AgentScript();
    expect(kinds(script.desire(anAssignment(A, PREPARE)))).toEqual(["prepare"]);
    expect(of(script.feed({ kind: "prepared", key: A }), "report")[0]?.workloads).toEqual([{ ...A, phase: "ready" }]);
    expect(kinds(script.desire(anAssignment(A, RUN)))).toEqual(["start"]);
    const started = script.feed({ kind: "started", key: A, startedAt: millis(1_000) });
    expect(of(started, "report")[0]?.workloads).toEqual([{ ...A, phase: "running" }]);
  });

  test("run without prepare prepares first", () => {
    const script = new AgentScript();
    expect(kinds(script.desire(anAssignment(A, RUN)))).toEqual(["prepare"]);
    expect(kinds(script.feed({ kind: "prepared", key: A }))).toContain("start");
  });

  test("a natural end is reported only when everything it left is dead", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    expect(kinds(script.feed({ kind: "exited", key: A, exit: { exitCode: 4, cause: "exited" } }))).toEqual(["kill"]);
    expect(script.reportOf(A)?.phase).toBe("running");
    const killed = script.feed({ kind: "killed", key: A });
    expect(of(killed, "report")[0]?.workloads).toEqual([{ ...A, phase: "ended", exitCode: 4, cause: "exited" }]);
  });

  test("an exit that overtakes the news of the start is not lost", () => {
    const script = new AgentScript();
    script.desire(anAssignment(A, RUN));
    script.feed({ kind: "prepared", key: A });
    script.feed({ kind: "exited", key: A, exit: { exitCode: 0, cause: "exited" } });
    expect(kinds(script.feed({ kind: "started", key: A, startedAt: millis(1_000) }))).toContain("kill");
  });

  test("what cannot be prepared or started ends with the reason", () => {
    const script = new AgentScript();
    script.desire(anAssignment(A, RUN), anAssignment(B, RUN));
    script.feed({ kind: "prepare-failed", key: A, detail: "no account x" });
    script.feed({ kind: "prepared", key: B });
    script.feed({ kind: "start-failed", key: B, detail: "no group" });
    expect(script.reportOf(A)).toEqual({ ...A, phase: "ended", cause: "start_failed", detail: "no account x" });
    expect(script.reportOf(B)).toEqual({ ...B, phase: "ended", cause: "start_failed", detail: "no group" });
  });

  test("a node that only holds its part starts nothing and ends on stop", () => {
    const script = new AgentScript();
    const work = aWork({}, { runsHere: false });
    script.desire(anAssignment(A, PREPARE, { work }));
    script.feed({ kind: "prepared", key: A });
    expect(kinds(script.desire(anAssignment(A, RUN, { work })))).toEqual(["report", "timer report"]);
    expect(script.reportOf(A)?.phase).toBe("running");
    script.desire(anAssignment(A, STOP, { work }));
    expect(script.reportOf(A)).toEqual({ ...A, phase: "ended", cause: "stopped" });
  });
});

describe("stopping", () => {
  test("stop is SIGTERM, the grace period, then the end of everything", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    const stop = script.desire(anAssignment(A, STOP));
    expect(kinds(stop)).toEqual(["note", "terminate", "timer grace"]);
    expect(of(stop, "set-timer")[0]?.at).toBe(millis(2_000));
    script.now = 2_000;
    expect(kinds(script.feed({ kind: "timer-fired", timer: "grace", key: A }))).toEqual(["kill"]);
    script.feed({ kind: "killed", key: A });
    expect(script.stageOf(A)).toBe("killing");
    script.feed({ kind: "exited", key: A, exit: { signal: 9, cause: "exited" } });
    expect(script.reportOf(A)).toEqual({ ...A, phase: "ended", signal: 9, cause: "stopped" });
  });

  test("a workload that ends within the grace period is killed at once, for what it left", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    script.desire(anAssignment(A, STOP));
    expect(kinds(script.feed({ kind: "exited", key: A, exit: { exitCode: 0, cause: "exited" } }))).toEqual(["kill"]);
    expect(kinds(script.feed({ kind: "timer-fired", timer: "grace", key: A }))).toEqual([]);
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)).toEqual({ ...A, phase: "ended", exitCode: 0, cause: "stopped" });
  });

  test("stop while it is being prepared or started takes effect as soon as it can", () => {
    const script = new AgentScript();
    script.desire(anAssignment(A, RUN), anAssignment(B, RUN));
    script.feed({ kind: "prepared", key: B });
    script.desire(anAssignment(A, STOP), anAssignment(B, STOP));
    expect(kinds(script.feed({ kind: "prepared", key: A }))).not.toContain("start");
    expect(script.reportOf(A)).toEqual({ ...A, phase: "ended", cause: "stopped" });
    expect(kinds(script.feed({ kind: "started", key: B, startedAt: millis(1_000) }))).toContain("terminate");
  });

  test("stop of what was never here is reported as ended", () => {
    const script = new AgentScript();
    expect(kinds(script.desire(anAssignment(A, STOP)))).toEqual(["report", "timer report"]);
    expect(script.reportOf(A)).toEqual({ ...A, phase: "ended", cause: "stopped" });
  });

  test("what does not die is killed again, and said", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    script.feed({ kind: "exited", key: A, exit: { exitCode: 0, cause: "exited" } });
    const failed = script.feed({ kind: "kill-failed", key: A, detail: "process 7" });
    expect(kinds(failed)).toEqual(["timer kill"]);
    expect(issuesOf(script.agent)).toEqual([`processes of allocation ${A.allocation} do not die: process 7`]);
    expect(kinds(script.feed({ kind: "timer-fired", timer: "kill", key: A }))).toEqual(["kill"]);
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)?.phase).toBe("ended");
    expect(issuesOf(script.agent)).toEqual([]);
  });
});

describe("walltime", () => {
  test("counts from the start and follows changes of the limit", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN, { walltimeMs: millis(5_000) }));
    const changed = script.desire(anAssignment(A, RUN, { walltimeMs: millis(9_000) }));
    expect(kinds(changed)).toEqual(["note", "timer walltime"]);
    expect(of(changed, "set-timer")[0]?.at).toBe(millis(10_000));
    script.now = 6_000;
    expect(kinds(script.feed({ kind: "timer-fired", timer: "walltime", key: A }))).toEqual(["timer walltime"]);
    script.now = 10_000;
    expect(kinds(script.feed({ kind: "timer-fired", timer: "walltime", key: A }))).toContain("terminate");
    script.feed({ kind: "exited", key: A, exit: { signal: 15, cause: "exited" } });
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)).toEqual({ ...A, phase: "ended", signal: 15, cause: "walltime" });
  });

  test("zero is without limit", () => {
    const script = new AgentScript();
    script.desire(anAssignment(A, RUN));
    script.feed({ kind: "prepared", key: A });
    expect(kinds(script.feed({ kind: "started", key: A, startedAt: millis(1_000) }))).not.toContain("timer walltime");
    script.now = 10 ** 12;
    expect(script.feed({ kind: "timer-fired", timer: "walltime", key: A })).toEqual([]);
  });
});

describe("what should be here", () => {
  test("a set older than one obeyed changes nothing", () => {
    const script = new AgentScript();
    script.feed({ kind: "desired-received", desired: { fence: aFence(10), assignments: [anAssignment(A, RUN)] } });
    const before = script.agent;
    const old = { clusterId: "c", restoreEpoch: 1, term: 0, index: 99 };
    expect(kinds(script.feed({ kind: "desired-received", desired: { fence: old, assignments: [] } }))).toEqual([
      "set-refused",
    ]);
    expect([...script.agent.workloads]).toEqual([...before.workloads]);
    const restored = { clusterId: "c", restoreEpoch: 2, term: 0, index: 1 };
    script.feed({ kind: "desired-received", desired: { fence: restored, assignments: [] } });
    expect(script.agent.memory.fence).toEqual(restored);
  });

  test("the same set again has no effect", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    expect(script.desire(anAssignment(A, RUN))).toEqual([]);
  });

  test("nothing starts while a run that should not be here is alive", () => {
    const script = new AgentScript();
    const second = aKey(1, 2);
    script.run(anAssignment(A, RUN));
    expect(kinds(script.desire(anAssignment(second, RUN)))).toEqual(["prepare", "note", "terminate", "timer grace"]);
    expect(kinds(script.feed({ kind: "prepared", key: second }))).not.toContain("start");
    script.feed({ kind: "exited", key: A, exit: { signal: 15, cause: "exited" } });
    expect(kinds(script.feed({ kind: "killed", key: A }))).toContain("start");
    expect(script.reportOf(A)).toEqual({ ...A, phase: "ended", signal: 15, cause: "lost" });
  });

  test("what has ended is kept until its report is committed and no set names it, and then not forgotten for an older set", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    script.feed({ kind: "exited", key: A, exit: { exitCode: 0, cause: "exited" } });
    const report = of(script.feed({ kind: "killed", key: A }), "report")[0];
    expect(script.desire()).toEqual([]);
    const committed = script.feed({ kind: "reports-committed", sequence: report?.sequence ?? 0 });
    expect(kinds(committed)).toEqual(["remember", "release"]);
    expect(of(committed, "remember")[0]?.memory.fence).toEqual(aFence(2));
    expect(script.agent.workloads.size).toBe(0);
  });

  test("an ended workload that is still named does not run again", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    script.feed({ kind: "exited", key: A, exit: { exitCode: 0, cause: "exited" } });
    script.feed({ kind: "killed", key: A });
    script.feed({ kind: "reports-committed", sequence: script.agent.sequence });
    expect(script.desire(anAssignment(A, RUN))).toEqual([]);
    expect(script.stageOf(A)).toBe("ended");
  });
});

describe("reports", () => {
  test("are repeated until they are committed, and again to each server that takes the agent in", () => {
    const script = new AgentScript();
    script.desire(anAssignment(A, PREPARE));
    const first = of(script.feed({ kind: "prepared", key: A }), "report")[0];
    const again = of(script.feed({ kind: "timer-fired", timer: "report" }), "report")[0];
    expect(again?.workloads).toEqual(first?.workloads ?? []);
    expect(again?.sequence).toBeGreaterThan(first?.sequence ?? 0);
    expect(kinds(script.feed({ kind: "welcomed", isolationGraceMs: millis(1) }))).toContain("report");
    script.feed({ kind: "reports-committed", sequence: script.agent.sequence });
    expect(script.feed({ kind: "timer-fired", timer: "report" })).toEqual([]);
  });

  test("a commit of an older report does not stand for a newer one", () => {
    const script = new AgentScript();
    script.desire(anAssignment(A, RUN));
    const ready = of(script.feed({ kind: "prepared", key: A }), "report")[0];
    script.feed({ kind: "started", key: A, startedAt: millis(1_000) });
    script.feed({ kind: "reports-committed", sequence: ready?.sequence ?? 0 });
    expect(kinds(script.feed({ kind: "timer-fired", timer: "report" }))).toContain("report");
  });
});

describe("isolation", () => {
  const isolated = anAssignment(A, RUN, { work: aWork({ isolation: "stop" }) });

  function isolatedScript(): AgentScript {
    const script = new AgentScript();
    script.feed({ kind: "welcomed", isolationGraceMs: millis(60_000) });
    script.run(isolated, anAssignment(B, RUN));
    return script;
  }

  test("work of isolation stop ends when no server is heard for the grace; other work goes on", () => {
    const script = isolatedScript();
    script.now = 61_000;
    script.feed({ kind: "timer-fired", timer: "isolation" });
    expect(script.stageOf(A)).toBe("terminating");
    expect(script.stageOf(B)).toBe("running");
    script.feed({ kind: "exited", key: A, exit: { signal: 15, cause: "exited" } });
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)?.cause).toBe("isolated");
  });

  test("it has surely ended when the grace is over, however long its own grace period is", () => {
    const script = new AgentScript();
    script.feed({ kind: "welcomed", isolationGraceMs: millis(60_000) });
    script.run(anAssignment(A, RUN, { work: aWork({ isolation: "stop", gracePeriodMs: millis(3_600_000) }) }));
    script.now = 31_000;
    const ending = script.feed({ kind: "timer-fired", timer: "isolation" });
    expect(of(ending, "set-timer").find((e) => e.timer === "grace")?.at).toBe(millis(61_000));
  });

  test("any word of a server counts, also of one without a quorum", () => {
    const script = isolatedScript();
    script.now = 50_000;
    expect(of(script.feed({ kind: "server-heard" }), "remember")[0]?.memory.heardAt).toBe(millis(50_000));
    script.now = 61_000;
    const fired = script.feed({ kind: "timer-fired", timer: "isolation" });
    expect(of(fired, "set-timer")[0]?.at).toBe(millis(109_000));
    expect(script.stageOf(A)).toBe("running");
  });

  test("a restart of the agent does not begin the grace anew", () => {
    const script = new AgentScript();
    script.now = 200_000;
    const memory = { fence: aFence(3), heardAt: millis(100_000), isolationGraceMs: millis(60_000) };
    const effects = script.feed({ kind: "recovered", workloads: [recovered("running", isolated)], memory });
    expect(of(effects, "set-timer").find((e) => e.timer === "isolation")?.at).toBe(millis(159_000));
    script.feed({ kind: "timer-fired", timer: "isolation" });
    expect(script.stageOf(A)).toBe("terminating");
  });
});

function recovered(state: RecoveredWorkload["state"], { work, allocation, attempt }: Assignment): RecoveredWorkload {
  return { key: { allocation, attempt }, work, fence: aFence(3), state, startedAt: millis(90_000) };
}

describe("recovery", () => {
  test("takes up what runs, with the limit that was noted, and waits for a set before judging it", () => {
    const script = new AgentScript();
    const found = { ...recovered("running", anAssignment(A, RUN)), note: { walltimeMs: millis(7_000) } };
    const effects = script.feed({ kind: "recovered", workloads: [found], memory: undefined });
    expect(of(effects, "set-timer")).toContainEqual({
      kind: "set-timer",
      timer: "walltime",
      key: A,
      at: millis(97_000),
    });
    expect(script.agent.memory.fence).toEqual(aFence(3));
    expect(script.stageOf(A)).toBe("running");
  });

  test("goes on ending what was being ended, with the same cause", () => {
    const script = new AgentScript();
    const note = { walltimeMs: millis(0), endCause: "walltime" } as const;
    const found = { ...recovered("running", anAssignment(A, RUN)), note };
    const effects = script.feed({ kind: "recovered", workloads: [found], memory: undefined });
    expect(kinds(effects)).toContain("terminate");
    script.feed({ kind: "exited", key: A, exit: { signal: 15, cause: "exited" } });
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)?.cause).toBe("walltime");
  });

  test("kills what an ended workload left before it reports the end", () => {
    const script = new AgentScript();
    const exit = { cause: "supervisor_lost" } as const;
    const found = { ...recovered("ended", anAssignment(A, RUN)), exit };
    expect(kinds(script.feed({ kind: "recovered", workloads: [found], memory: undefined }))).toContain("kill");
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)).toEqual({ ...A, phase: "ended", cause: "supervisor_lost" });
  });
});
