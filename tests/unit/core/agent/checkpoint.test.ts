/** How an agent has work save its state before it is ended, as scripts of inputs and effects. */
import { describe, expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import { AgentScript, kinds, of } from "../../../fixtures/agent-script.ts";
import { aFence, aKey, anAssignment, aWork } from "../../../fixtures/works.ts";

const RUN = { kind: "run" } as const;
const STOP = { kind: "stop", reason: "cancelled" } as const;
const A = aKey(1);

describe("saving the state before the end", () => {
  const ASK = { kind: "stop", reason: "preempted", checkpointMs: millis(60_000) } as const;
  const EXIT = { exitCode: 0, cause: "exited" } as const;

  /** Work that runs and is asked. */
  function asked(): AgentScript {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    expect(kinds(script.desire(anAssignment(A, ASK)))).toEqual(["note", "checkpoint", "timer checkpoint"]);
    script.feed({ kind: "checkpoint-asked", key: A });
    return script;
  }

  test("it is ended once it says that its state is saved, and reported so", () => {
    const script = asked();
    expect(kinds(script.feed({ kind: "checkpointed", key: A }))).toEqual(["note", "terminate", "timer grace"]);
    script.feed({ kind: "exited", key: A, exit: { signal: 15, cause: "exited" } });
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)).toMatchObject({ phase: "ended", cause: "checkpointed", signal: 15 });
  });

  test("it may just leave with 0", () => {
    const script = asked();
    expect(kinds(script.feed({ kind: "exited", key: A, exit: EXIT }))).toEqual(["kill"]);
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)).toMatchObject({ cause: "checkpointed", exitCode: 0 });
  });

  test("what leaves with another code, or too late, has saved nothing", () => {
    const failing = asked();
    failing.feed({ kind: "exited", key: A, exit: { exitCode: 3, cause: "exited" } });
    failing.feed({ kind: "killed", key: A });
    expect(failing.reportOf(A)?.cause).toBe("stopped");
    const late = asked();
    expect(kinds(late.feed({ kind: "timer-fired", timer: "checkpoint", key: A }))).toEqual([
      "note",
      "terminate",
      "timer grace",
    ]);
    expect(kinds(late.desire(anAssignment(A, ASK)))).toEqual([]);
    late.feed({ kind: "exited", key: A, exit: EXIT });
    late.feed({ kind: "killed", key: A });
    expect(late.reportOf(A)?.cause).toBe("stopped");
  });

  test("what left before it was asked has simply ended", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    script.desire(anAssignment(A, ASK));
    script.feed({ kind: "exited", key: A, exit: EXIT });
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)).toMatchObject({ cause: "exited", exitCode: 0 });
  });

  test("what takes no signal is ended at once", () => {
    const script = new AgentScript();
    script.run(anAssignment(A, RUN));
    script.desire(anAssignment(A, ASK));
    expect(kinds(script.feed({ kind: "checkpoint-unheard", key: A }))).toEqual(["note", "terminate", "timer grace"]);
  });

  test("a cancel, the walltime and an end that is not wanted any more do not wait for it", () => {
    for (const end of [
      (script: AgentScript) => script.desire(anAssignment(A, STOP)),
      (script: AgentScript) => script.desire(),
    ]) {
      expect(kinds(end(asked()))).toContain("terminate");
    }
    const script = new AgentScript();
    script.run({ ...anAssignment(A, RUN), walltimeMs: millis(5_000) });
    script.desire({ ...anAssignment(A, ASK), walltimeMs: millis(5_000) });
    script.now += 5_000;
    expect(kinds(script.feed({ kind: "timer-fired", timer: "walltime", key: A }))).toContain("terminate");
    script.feed({ kind: "exited", key: A, exit: EXIT });
    script.feed({ kind: "killed", key: A });
    expect(script.reportOf(A)?.cause).toBe("walltime");
  });

  test("a restarted agent asks again, with the time that is left, and knows what was saved meanwhile", () => {
    const common = { key: A, work: aWork(), fence: aFence(1), startedAt: millis(500) };
    const note = { walltimeMs: millis(0), endCause: "stopped", checkpointUntil: millis(31_000) } as const;
    const running = new AgentScript();
    const effects = running.feed({
      kind: "recovered",
      workloads: [{ ...common, note, state: "running" }],
      memory: undefined,
    });
    expect(kinds(effects)).toContain("checkpoint");
    expect(of(effects, "set-timer")).toContainEqual({
      kind: "set-timer",
      timer: "checkpoint",
      key: A,
      at: millis(31_000),
    });
    const ended = new AgentScript();
    ended.feed({
      kind: "recovered",
      workloads: [{ ...common, note, state: "ended", exit: EXIT }],
      memory: undefined,
    });
    ended.feed({ kind: "killed", key: A });
    expect(ended.reportOf(A)?.cause).toBe("checkpointed");
  });
});
