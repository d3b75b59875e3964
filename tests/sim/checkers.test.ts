/**
 * Shows that the checkers see what they are for: each is shown a history or an event that
 * breaks its property, and one that does not.
 */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../src/base/brand.ts";
import { allocationId } from "../../src/core/domain/ids.ts";
import { EMPTY_LOG, extendLog } from "../../src/core/raft/log.ts";
import { checkAcknowledged } from "../../src/sim/checkers/acknowledged.ts";
import { CommitLedger } from "../../src/sim/checkers/commit-ledger.ts";
import { ElectionSafety } from "../../src/sim/checkers/election-safety.ts";
import { EqualStates } from "../../src/sim/checkers/equal-states.ts";
import { Findings } from "../../src/sim/checkers/findings.ts";
import type { Operation } from "../../src/sim/checkers/linearizability.ts";
import { isLinearizable } from "../../src/sim/checkers/linearizability.ts";
import { LogMatching } from "../../src/sim/checkers/log-matching.ts";
import type { RegisterInput, RegisterOutput } from "../../src/sim/clients/models.ts";
import { ALLOCATION, REGISTER } from "../../src/sim/clients/models.ts";

/** An operation from one moment to another; without an answer when `output` is undefined. */
const operation = <I, O>(
  input: I,
  output: O | undefined,
  [calledAt, returnedAt]: [number, number],
): Operation<I, O> => ({
  key: "k",
  client: "c",
  input,
  calledAt,
  answer: output === undefined ? undefined : { output, returnedAt },
});

type Step = Operation<RegisterInput, RegisterOutput>;
const create = (value: number, span: [number, number]): Step => operation({ op: "create", value }, {}, span);
const write = (value: number, span: [number, number]): Step => operation({ op: "write", value }, {}, span);
const read = (value: number, span: [number, number]): Step => operation({ op: "read" }, { value }, span);

describe("linearizability", () => {
  test("a stale read is seen: the old value after a later write was acknowledged", () => {
    expect(isLinearizable(REGISTER, [create(1, [0, 1]), write(2, [2, 3]), read(1, [4, 5])])).toBe(false);
    expect(isLinearizable(REGISTER, [create(1, [0, 1]), write(2, [2, 3]), read(2, [4, 5])])).toBe(true);
  });

  test("a read may see a write that is under way, but no later read the value before it", () => {
    const begun = [create(1, [0, 1]), write(2, [2, 9]), read(2, [3, 4])];
    expect(isLinearizable(REGISTER, [...begun, read(2, [5, 6])])).toBe(true);
    expect(isLinearizable(REGISTER, [...begun, read(1, [5, 6])])).toBe(false);
  });

  test("a write that was never answered may happen late or never, but only once", () => {
    const lost = operation<RegisterInput, RegisterOutput>({ op: "write", value: 2 }, undefined, [2, 0]);
    const begun = [create(1, [0, 1]), lost];
    expect(isLinearizable(REGISTER, [...begun, read(1, [3, 4]), read(2, [5, 6])])).toBe(true);
    expect(isLinearizable(REGISTER, [...begun, read(1, [3, 4])])).toBe(true);
    const undone = [...begun, read(2, [3, 4]), write(3, [5, 6]), read(2, [7, 8])];
    expect(isLinearizable(REGISTER, undone)).toBe(false);
  });

  test("an acknowledged submission that is not seen, or twice, is no order", () => {
    const submit = operation({ op: "submit", isParked: true } as const, {}, [0, 1]);
    const look = (sight: "absent" | "open" | "several") =>
      operation({ op: "look", isParked: true } as const, { sight }, [2, 3]);
    expect(isLinearizable(ALLOCATION, [submit, look("open")])).toBe(true);
    expect(isLinearizable(ALLOCATION, [submit, look("absent")])).toBe(false);
    expect(isLinearizable(ALLOCATION, [submit, look("several")])).toBe(false);
  });
});

describe("the log", () => {
  test("two leaders of one term are seen", () => {
    const findings = new Findings();
    const elections = new ElectionSafety(findings);
    elections.onLeader(1, term(2));
    elections.onLeader(1, term(2));
    expect(findings.first).toBeUndefined();
    elections.onLeader(2, term(2));
    expect(findings.first?.property).toBe("election safety");
  });

  test("an entry that follows another term in another log is seen", () => {
    const findings = new Findings();
    const logs = new LogMatching(findings);
    const entry = { index: logIndex(3), term: term(4), kind: "command", data: new Uint8Array([1]) } as const;
    logs.onWrite(1, [entry], term(2));
    logs.onWrite(2, [entry], term(2));
    expect(findings.first).toBeUndefined();
    logs.onWrite(3, [entry], term(3));
    expect(findings.first?.property).toBe("log matching");
  });

  test("a leader without a committed entry is seen, and so is another entry in its place", () => {
    const findings = new Findings();
    const ledger = new CommitLedger(findings);
    const entry = { index: logIndex(1), term: term(1), kind: "command", data: new Uint8Array() } as const;
    ledger.onCommitted(1, entry, term(1));
    ledger.onLeader(2, term(2), extendLog(EMPTY_LOG, term(1), 1));
    expect(findings.first).toBeUndefined();
    ledger.onLeader(3, term(3), EMPTY_LOG);
    expect(findings.first?.property).toBe("leader completeness");
    const other = new Findings();
    const second = new CommitLedger(other);
    second.onCommitted(1, entry, term(1));
    second.onCommitted(2, { ...entry, term: term(2) }, term(2));
    expect(other.first?.property).toBe("state-machine safety");
  });

  test("states that differ at one index are seen", () => {
    const findings = new Findings();
    const states = new EqualStates(findings);
    states.onApplied(1, logIndex(5), "a");
    states.onApplied(2, logIndex(5), "a");
    expect(findings.first).toBeUndefined();
    states.onApplied(3, logIndex(5), "b");
    expect(findings.first?.property).toBe("equal states");
  });
});

describe("what was acknowledged", () => {
  const submission = {
    name: "w",
    isParked: true,
    id: "x",
    isAcknowledged: true,
    isRefused: false,
    isCancelled: false,
  };
  const row = (id: string) => ({
    table: "allocations",
    id,
    isLive: true,
    text: JSON.stringify({ id: allocationId(id), state: "pending", spec: { name: "w" } }),
  });
  const found = (ids: readonly string[], isCancelled = false): string | undefined => {
    const findings = new Findings();
    checkAcknowledged(findings, [{ ...submission, isCancelled }], { server: "s1", rows: ids.map(row) });
    return findings.first?.property;
  };

  test("a submission that is gone, done twice, or not cancelled is seen", () => {
    expect(found(["x"])).toBeUndefined();
    expect(found([])).toBe("no acknowledged command lost");
    expect(found(["x", "y"])).toBe("exactly once");
    expect(found(["x"], true)).toBe("no acknowledged command lost");
  });
});
